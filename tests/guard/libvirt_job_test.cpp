#include "guard/libvirt_job.hpp"

#include <fstream>

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;

namespace {

const Vm some_vm{"web", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff")};

std::optional<std::string> job_in(const std::string& text) {
  TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / "qemu");
  std::ofstream(directory.path() / "qemu" / "web.xml") << text;
  return libvirt_job(some_vm, directory.path());
}

}  // namespace

TEST_CASE("the job is the one that libvirt's status file names") {
  // As libvirt 9.0 writes it at `started`.
  CHECK(job_in("<!--\nWARNING: do not edit\n-->\n<domstatus state='paused' reason='migration' "
               "pid='306'>\n  <taint flag='custom-monitor'/>\n  <job type='none' "
               "async='migration in' phase='prepare' flags='0x1'/>\n  <domain type='qemu'/>\n"
               "</domstatus>\n") == "migration in");
  CHECK(job_in("<domstatus><job type='none' async='start'/></domstatus>") == "start");
}

TEST_CASE("what a VM's own XML calls a job is not libvirt's") {
  CHECK_FALSE(
      job_in("<domstatus><domain><metadata><job async='migration in'/></metadata></domain>"
             "</domstatus>"));
}

TEST_CASE("a status file without a job, or without sense, or none at all, names no job") {
  CHECK_FALSE(job_in(""));
  CHECK_FALSE(job_in("<domstatus>"));
  CHECK_FALSE(job_in("<domstatus><domain/></domstatus>"));
  CHECK_FALSE(job_in("<domstatus><job type='none'/></domstatus>"));
  TemporaryDirectory empty;
  CHECK_FALSE(libvirt_job(some_vm, empty.path()));
  CHECK_FALSE(libvirt_job({"../web", some_vm.uuid}, empty.path()));
}
