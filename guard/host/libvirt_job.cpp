#include "guard/host/libvirt_job.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <pugixml.hpp>

#include "guard/system/file.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {
namespace {

using std::chrono::milliseconds;

std::chrono::sys_time<milliseconds> time_of(const timespec& time) {
  auto since_epoch = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  return std::chrono::sys_time<milliseconds>(std::chrono::floor<milliseconds>(since_epoch));
}

}  // namespace

std::optional<LibvirtJob> libvirt_job(const Vm& vm, const std::filesystem::path& directory) {
  if (vm.name.find('/') != std::string::npos) return std::nullopt;
  auto path = directory / vm.driver / (vm.name + ".xml");
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat written = {};
  if (!file || ::fstat(file.get(), &written) != 0) return std::nullopt;
  auto text = read_fd(file.get());
  pugi::xml_document document;
  if (!text || !document.load_buffer(text->data(), text->size())) return std::nullopt;
  auto status = document.child("domstatus");
  if (dlmfs::Uuid::parse(status.child("domain").child_value("uuid")) != vm.uuid) {
    return std::nullopt;
  }
  auto job = status.child("job");
  std::string name = job.attribute("async").value();
  if (name.empty()) return std::nullopt;
  return LibvirtJob{name, job.attribute("phase").value(), time_of(written.st_mtim)};
}

}  // namespace guard
