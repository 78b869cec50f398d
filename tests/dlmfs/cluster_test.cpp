#include "dlmfs/cluster.hpp"

#include <filesystem>
#include <fstream>
#include <stdlib.h>

#include "tests/catch.hpp"
#include "tests/dlmfs/mount_tables.hpp"

using dlmfs::check_cluster;
using dlmfs::ClusterPaths;
using dlmfs::FakeMount;
using dlmfs::write_mounts;
using guard::Result;

namespace {

namespace fs = std::filesystem;

const FakeMount root_mount{"254:0", "/", "ext4"};
const FakeMount dlm_mount{"0:35", "/dlm"};
const FakeMount bind_mount{.device = "0:35", .place = "/srv/x", .root = "/vms"};
const FakeMount second_mount{"0:36", "/dlm2"};

/// Fake kernel files of a healthy host. Tests change them.
class ClusterFiles {
 public:
  ClusterFiles() {
    std::string folder = fs::temp_directory_path() / "start-guard-cluster-XXXXXX";
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
    paths.mounts = folder_ / "mounts";
    paths.mount_details = folder_ / "mountinfo";
    paths.stack = folder_ / "cluster_stack";
    paths.clusters = folder_ / "clusters";
    write_mounts(paths, {root_mount, dlm_mount});
    write(paths.stack, "o2cb\n");
    fs::create_directories(heartbeat_mode().parent_path());
    write(heartbeat_mode(), "global\n");
  }
  ~ClusterFiles() { fs::remove_all(folder_); }
  ClusterFiles(const ClusterFiles&) = delete;
  ClusterFiles& operator=(const ClusterFiles&) = delete;

 protected:
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  [[nodiscard]] fs::path heartbeat_mode() const { return folder_ / "clusters/lab/heartbeat/mode"; }
  /// Returns the text of the denial, or an empty string if the check succeeds.
  [[nodiscard]] std::string denial(bool require_global_heartbeat = true) const {
    auto checked = check_cluster(paths, require_global_heartbeat);
    return checked ? "" : checked.error().what;
  }

  ClusterPaths paths;

 private:
  fs::path folder_;
};

}  // namespace

TEST_CASE_METHOD(ClusterFiles, "a cluster with one dlmfs and o2cb and a global heartbeat passes") {
  CHECK(denial() == "");
}

TEST_CASE_METHOD(ClusterFiles,
                 "a host without a dlmfs mount is denied with the command that mounts it") {
  write_mounts(paths, {root_mount});
  CHECK(contains(denial(), "mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm"));
  CHECK(check_cluster(paths, true).error().code == ENODEV);
}

TEST_CASE_METHOD(ClusterFiles, "a mount of another type at /dlm is not dlmfs") {
  write_mounts(paths, {root_mount, {"0:35", "/dlm", "tmpfs"}});
  CHECK(contains(denial(), "dlmfs is not mounted"));
}

TEST_CASE_METHOD(ClusterFiles, "two mounts of dlmfs are denied") {
  write_mounts(paths, {root_mount, dlm_mount, second_mount});
  CHECK(contains(denial(), "dlmfs is mounted 2 times"));
  CHECK(check_cluster(paths, true).error().code == EBUSY);
}

TEST_CASE_METHOD(ClusterFiles, "a bind mount of dlmfs is not a second dlmfs") {
  write_mounts(paths, {root_mount, dlm_mount, bind_mount});
  CHECK(denial() == "");
}

TEST_CASE_METHOD(ClusterFiles, "an unreadable mount table is denied") {
  write_mounts(paths, {dlm_mount, bind_mount});
  fs::path table = GENERATE(0, 1) == 0 ? paths.mounts : paths.mount_details;
  fs::remove(table);
  CHECK(contains(denial(), table.string()));
}

TEST_CASE_METHOD(ClusterFiles, "the user-space cluster stack is denied") {
  write(paths.stack, "pcmk\n");
  CHECK(contains(denial(), "the cluster stack is 'pcmk', not o2cb"));
}

TEST_CASE_METHOD(ClusterFiles, "a stack whose name only begins with o2cb is denied") {
  write(paths.stack, "o2cb2\n");
  CHECK(contains(denial(), "'o2cb2'"));
}

TEST_CASE_METHOD(ClusterFiles, "a host without a loaded cluster stack is denied") {
  fs::remove(paths.stack);
  CHECK(contains(denial(), "the ocfs2 cluster stack is not loaded"));
}

TEST_CASE_METHOD(ClusterFiles, "a host without a configured cluster is denied") {
  fs::remove_all(paths.clusters + "/lab");
  CHECK(contains(denial(), "no o2cb cluster is configured"));
  CHECK(contains(denial(false), "no o2cb cluster is configured"));
  fs::remove_all(paths.clusters);
  CHECK(contains(denial(), "no o2cb cluster is configured"));
}

TEST_CASE_METHOD(ClusterFiles,
                 "a local heartbeat is denied with the cluster's name and the remedy") {
  write(heartbeat_mode(), "local\n");
  CHECK(contains(denial(), "the heartbeat of cluster lab is local"));
  CHECK(contains(denial(), "o2cb heartbeat-mode lab global"));
}

TEST_CASE_METHOD(ClusterFiles, "a heartbeat whose mode cannot be read is denied") {
  fs::remove(heartbeat_mode());
  CHECK(contains(denial(), "asking for the heartbeat mode"));
}

TEST_CASE_METHOD(ClusterFiles, "a local heartbeat is allowed if a global one is not required") {
  write(heartbeat_mode(), "local\n");
  CHECK(denial(false) == "");
}
