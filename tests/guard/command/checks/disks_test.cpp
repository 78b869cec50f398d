#include <filesystem>
#include <fstream>

#include "guard/command/checks/all.hpp"
#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;
using namespace guard::command;

namespace {

std::string vm_with(const std::string& name, const std::string& disk) {
  return "<domain><name>" + name + "</name><devices><disk>" + disk + "</disk></devices></domain>";
}

Finding check(const std::vector<std::string>& running) {
  return check_disks(running);
}

}  // namespace

TEST_CASE("check_disks names two running VMs that write to one disk") {
  auto source = GENERATE(
      as<std::string>{}, "<source file='/no/such/image'/>", "<source dev='/no/such/device'/>",
      "<source protocol='rbd' name='pool/image'/>", "<source pool='default' volume='image'/>");
  auto finding = check({vm_with("web", source), vm_with("clone", source)});
  CHECK(finding.health == Health::warn);
  CHECK(finding.found.starts_with("web and clone run and may both write to "));
  CHECK_FALSE(finding.remedy.empty());
}

TEST_CASE("check_disks recognizes one file by two paths") {
  TemporaryDirectory directory;
  std::ofstream(directory.path() / "image") << "x";
  std::filesystem::create_symlink("image", directory.path() / "link");
  auto source = [&](const char* name) {
    return "<source file='" + (directory.path() / name).string() + "'/>";
  };
  auto finding = check({vm_with("web", source("image")), vm_with("clone", source("link"))});
  CHECK(finding.health == Health::warn);
  CHECK(finding.found.find("image, which is also ") != std::string::npos);
}

TEST_CASE("check_disks accepts disks that VMs may share") {
  std::string image = "<source file='/no/such/image'/>";
  std::string other = "<source file='/no/such/other'/>";
  CHECK(check({}).health == Health::ok);
  CHECK(check({vm_with("web", image), vm_with("clone", other)}).health == Health::ok);
  CHECK(check({vm_with("web", image + "<readonly/>"), vm_with("clone", image)}).health ==
        Health::ok);
  CHECK(check({vm_with("web", image + "<shareable/>"), vm_with("clone", image + "<shareable/>")})
            .health == Health::ok);
  // Only one of them expects another writer.
  CHECK(check({vm_with("web", image + "<shareable/>"), vm_with("clone", image)}).health ==
        Health::warn);
  // An empty drive for removable media.
  CHECK(check({vm_with("web", ""), vm_with("clone", "")}).health == Health::ok);
}

TEST_CASE("check_disks warns if it does not learn the disks from libvirt") {
  auto finding = check_disks(fail(Error{1, "libvirt is not there"}));
  CHECK(finding.health == Health::warn);
  CHECK(finding.found.find("libvirt is not there") != std::string::npos);
  CHECK(check({"<domain>"}).health == Health::warn);
}
