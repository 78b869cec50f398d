# cpack reads this file for each kind of package.
set(CPACK_COMPONENTS_ALL program elsewhere)
if(CPACK_GENERATOR STREQUAL DEB)
  set(CPACK_COMPONENTS_ALL program debian)
endif()
