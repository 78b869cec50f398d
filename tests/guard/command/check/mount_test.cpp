#include "guard/command/check/mount.hpp"

#include "tests/guard/command/check/made_up_places.hpp"

using namespace guard::command;

namespace {

const std::string one = "40 25 0:35 / /dlm rw - ocfs2_dlmfs ocfs2_dlmfs rw\n";
const std::string another = "42 25 0:36 / /dlm2 rw - ocfs2_dlmfs ocfs2_dlmfs rw\n";

}  // namespace

TEST_CASE_METHOD(MadeUpPlaces, "a plain directory in the place of the locks is not safe") {
  auto finding = check_mount(places, root());
  CHECK(is(finding, Health::fail));
  CHECK(says(finding.found, "is not dlmfs"));
  CHECK(finding.mend == "mount -t ocfs2_dlmfs ocfs2_dlmfs " + root().string());
}

TEST_CASE_METHOD(MadeUpPlaces, "a directory that is not there is made first") {
  auto finding = check_mount(places, root() / "dlm");
  CHECK(is(finding, Health::fail));
  CHECK(finding.mend.starts_with("mkdir " + (root() / "dlm").string() + " && mount"));
}

TEST_CASE_METHOD(MadeUpPlaces, "two mounts exclude each other") {
  write(places.cluster.mounts, one + another);
  auto finding = check_mount(places, root());
  CHECK(is(finding, Health::fail));
  CHECK(says(finding.found, "mounted 2 times"));
}

TEST_CASE_METHOD(MadeUpPlaces, "a mount that is elsewhere has to go first") {
  write(places.cluster.mounts, another);
  CHECK(is(check_mount(places, root()), Health::fail));
  CHECK(says(check_mount(places, root()).mend, "umount the one elsewhere"));
}

TEST_CASE_METHOD(MadeUpPlaces, "a mount table that can't be read is not safe") {
  std::filesystem::remove(places.cluster.mounts);
  CHECK(is(check_mount(places, root()), Health::fail));
}

TEST_CASE_METHOD(MadeUpPlaces, "a domain that is not joined is named") {
  auto domains = guard::Domains::named("vms");
  CHECK(is(check_domains(root(), domains), Health::warn));
  std::filesystem::create_directory(root() / "vms");
  auto finding = check_domains(root(), domains);
  CHECK(is(finding, Health::warn));
  CHECK(says(finding.found, "not joined: vms-bell;"));
  CHECK(finding.mend == "start-guard join");
  std::filesystem::create_directory(root() / "vms-bell");
  CHECK(is(check_domains(root(), domains), Health::ok));
}
