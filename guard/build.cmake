# Writes OUTPUT (build.cpp) with a hash of VERSION and of the names and contents of all sources
# below ROOT. The hash does not depend on where ROOT is.
file(GLOB_RECURSE sources RELATIVE ${ROOT}
     ${ROOT}/conf/*.?pp ${ROOT}/dlmfs/*.?pp ${ROOT}/guard/*.?pp ${ROOT}/hook/*.?pp)
list(SORT sources)
set(all ${VERSION})
foreach(source ${sources})
  file(SHA256 ${ROOT}/${source} hash)
  string(APPEND all "\n${source} ${hash}")
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING ${hash} 0 12 BUILD)
configure_file(${CMAKE_CURRENT_LIST_DIR}/build.cpp.in ${OUTPUT} @ONLY)
