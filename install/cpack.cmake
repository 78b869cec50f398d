# Makes the .rpm: cpack --preset rpm.
set(CPACK_GENERATOR RPM)
set(CPACK_PACKAGE_NAME start-guard)
set(CPACK_PACKAGE_VENDOR "The start-guard maintainers")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/folders.cmake)
set(CPACK_PACKAGE_DESCRIPTION "\
start-guard is a hook of libvirt. At every start of a VM it acquires a
lock for the VM in the cluster lock manager of the Linux kernel (o2dlm,
part of OCFS2). If another host holds the lock, the start is denied, and
the message names that host. When a host dies, the kernel frees its locks,
and its VMs can start on other hosts.

It is for a few hosts that run libvirt on shared storage and have no
cluster manager. A service on each host hands the lock over in a live
migration, and protects the locks from accidental removal.

The cluster is that of ocfs2-tools, o2cb, with a global heartbeat.")

set(rpm ${CMAKE_CURRENT_SOURCE_DIR}/rpm)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_RELEASE 1)
set(CPACK_RPM_PACKAGE_LICENSE Apache-2.0)
set(CPACK_RPM_PACKAGE_GROUP System/Base)
set(CPACK_RPM_PACKAGE_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_RPM_PACKAGE_DESCRIPTION ${CPACK_PACKAGE_DESCRIPTION})
set(CPACK_RPM_PACKAGE_AUTOREQ ON)
set(CPACK_RPM_PACKAGE_AUTOPROV OFF)
# What %systemd_requires expands to: the scriptlets need systemctl, and systemd's presets.
set(CPACK_RPM_PACKAGE_REQUIRES_POST systemd)
set(CPACK_RPM_PACKAGE_REQUIRES_PREUN systemd)
set(CPACK_RPM_PACKAGE_REQUIRES_POSTUN systemd)
# The package has no build-id links for debuggers, and no folders except its own. The scriptlets use
# systemd's macros.
set(CPACK_RPM_SPEC_MORE_DEFINE "\
%define _build_id_links none
%{!?systemd_post:%{load:${rpm}/macros}}")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
    /etc/libvirt /usr/libexec /usr/sbin /usr/lib/systemd /usr/lib/systemd/system
    /usr/share/bash-completion /usr/share/bash-completion/completions /usr/share/man
    /usr/share/man/man5 /usr/share/man/man7 /usr/share/man/man8
    /usr/share/zsh /usr/share/zsh/site-functions)
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${rpm}/post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${rpm}/preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${rpm}/postun)
set(CPACK_RPM_USER_FILELIST
    "%config(noreplace) /etc/libvirt/start-guard.toml"
    "%license /usr/share/doc/start-guard/LICENSE"
    "%doc /usr/share/doc/start-guard/CHANGELOG.md"
    "%doc /usr/share/doc/start-guard/copyright")
include(CPack)
