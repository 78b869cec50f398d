#include "guard/host/libvirt_job.hpp"

#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;

namespace {

const Vm some_vm{"web", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff")};

const std::string domain_xml =
    "<domain type='qemu'><uuid>" + some_vm.uuid.text() + "</uuid></domain>";

std::optional<LibvirtJob> job_in(const std::string& text) {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / "qemu");
  std::ofstream(directory.path() / "qemu" / "web.xml") << text;
  return libvirt_job(some_vm, directory.path());
}

}  // namespace

TEST_CASE("libvirt_job returns the job in libvirt's status file") {
  // As libvirt 9.0 writes it at `started`.
  auto job = job_in(
      "<!--\nWARNING: do not edit\n-->\n<domstatus state='paused' reason='migration' pid='306'>\n"
      "  <taint flag='custom-monitor'/>\n  <job type='none' async='migration in' phase='prepare' "
      "flags='0x1'/>\n" +
      domain_xml + "</domstatus>\n");
  REQUIRE(job);
  CHECK(job->name == "migration in");
  CHECK(job->phase == "prepare");
  auto start = job_in("<domstatus><job type='none' async='start'/>" + domain_xml + "</domstatus>");
  REQUIRE(start);
  CHECK(start->name == "start");
  CHECK(start->phase.empty());
}

TEST_CASE("the job's time is the modification time of the status file") {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / "qemu");
  auto file = directory.path() / "qemu" / "web.xml";
  std::ofstream(file) << "<domstatus><job async='migration out' phase='begin3'/>" << domain_xml
                      << "</domstatus>";
  timespec times[2] = {{1000, 0}, {1700000000, 123456789}};
  REQUIRE(::utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
  auto job = libvirt_job(some_vm, directory.path());
  REQUIRE(job);
  CHECK(job->since.time_since_epoch() == std::chrono::milliseconds(1700000000123));
}

TEST_CASE("a <job> in the VM's own XML is ignored") {
  CHECK_FALSE(job_in("<domstatus><domain><uuid>" + some_vm.uuid.text() +
                     "</uuid><metadata><job async='migration in'/></metadata></domain>"
                     "</domstatus>"));
}

TEST_CASE("the job of another VM with the same name is ignored") {
  CHECK_FALSE(
      job_in("<domstatus><job async='migration out'/><domain><uuid>"
             "d0c3b7a4-1111-4222-8333-000000000000</uuid></domain></domstatus>"));
}

TEST_CASE("a status file that is missing or invalid or without a job gives no job") {
  CHECK_FALSE(job_in(""));
  CHECK_FALSE(job_in("<domstatus>"));
  CHECK_FALSE(job_in("<domstatus><job async='start'/></domstatus>"));
  CHECK_FALSE(job_in("<domstatus>" + domain_xml + "</domstatus>"));
  CHECK_FALSE(job_in("<domstatus><job type='none'/>" + domain_xml + "</domstatus>"));
  TemporaryDirectory empty;
  CHECK_FALSE(libvirt_job(some_vm, empty.path()));
  CHECK_FALSE(libvirt_job({"../web", some_vm.uuid}, empty.path()));
}
