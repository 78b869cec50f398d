#include "guard/command/checks/all.hpp"
#include "tests/dlmfs/mount_tables.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"

using namespace guard::command;

namespace {

const dlmfs::FakeMount one{"0:35", "/dlm"};
const dlmfs::FakeMount another{"0:36", "/dlm2"};

}  // namespace

TEST_CASE_METHOD(FakeSystemPaths, "a plain directory in place of dlmfs is a failure") {
  auto finding = check_mount(paths, root());
  CHECK(is(finding, Health::fail));
  CHECK(says(finding.found, "is not dlmfs"));
  CHECK(finding.remedy == "mount -t ocfs2_dlmfs ocfs2_dlmfs " + root().string());
}

TEST_CASE_METHOD(FakeSystemPaths, "the remedy for a missing directory creates it first") {
  auto finding = check_mount(paths, root() / "dlm");
  CHECK(is(finding, Health::fail));
  CHECK(finding.remedy.starts_with("mkdir " + (root() / "dlm").string() + " && mount"));
}

TEST_CASE_METHOD(FakeSystemPaths, "two dlmfs mounts are a failure") {
  write_mounts(paths.cluster, {one, another});
  auto finding = check_mount(paths, root());
  CHECK(is(finding, Health::fail));
  CHECK(says(finding.found, "mounted 2 times"));
}

TEST_CASE_METHOD(FakeSystemPaths, "a dlmfs mount elsewhere is a failure whose remedy unmounts it") {
  write_mounts(paths.cluster, {another});
  CHECK(is(check_mount(paths, root()), Health::fail));
  CHECK(says(check_mount(paths, root()).remedy, "umount the one elsewhere"));
}

TEST_CASE_METHOD(FakeSystemPaths, "an unreadable mount table is a failure") {
  std::filesystem::remove(paths.cluster.mounts);
  CHECK(is(check_mount(paths, root()), Health::fail));
}

TEST_CASE_METHOD(FakeSystemPaths, "each domain that is not joined is named") {
  auto domains = guard::Domains::named("vms");
  CHECK(is(check_domains(root(), domains), Health::warn));
  std::filesystem::create_directory(root() / "vms");
  auto finding = check_domains(root(), domains);
  CHECK(is(finding, Health::warn));
  CHECK(says(finding.found, "not joined: vms-bell;"));
  CHECK(finding.remedy == "start-guard join");
  std::filesystem::create_directory(root() / "vms-bell");
  CHECK(is(check_domains(root(), domains), Health::ok));
}
