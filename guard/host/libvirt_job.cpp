#include "guard/host/libvirt_job.hpp"

#include <fcntl.h>
#include <memory>
#include <sys/stat.h>

#include <pugixml.hpp>

#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {
namespace {

using std::chrono::milliseconds;

std::chrono::sys_time<milliseconds> time_of(const timespec& time) {
  auto since_epoch = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  return std::chrono::sys_time<milliseconds>(std::chrono::floor<milliseconds>(since_epoch));
}

/// libvirt's status file of a VM.
struct StatusFile {
  pugi::xml_document document;
  std::chrono::sys_time<milliseconds> written;

  [[nodiscard]] pugi::xml_node status() const { return document.child("domstatus"); }
};

std::unique_ptr<StatusFile> status_file(const Vm& vm, const std::filesystem::path& directory) {
  if (vm.name.find('/') != std::string::npos) return nullptr;
  auto path = directory / vm.driver / (vm.name + ".xml");
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat written = {};
  if (!fd || ::fstat(fd.get(), &written) != 0) return nullptr;
  auto text = read_fd(fd.get());
  auto file = std::make_unique<StatusFile>();
  if (!text || !file->document.load_buffer(text->data(), text->size())) return nullptr;
  if (dlmfs::Uuid::parse(file->status().child("domain").child_value("uuid")) != vm.uuid) {
    return nullptr;
  }
  file->written = time_of(written.st_mtim);
  return file;
}

}  // namespace

std::optional<LibvirtJob> libvirt_job(const Vm& vm, const std::filesystem::path& directory) {
  auto file = status_file(vm, directory);
  if (!file) return std::nullopt;
  auto job = file->status().child("job");
  std::string name = job.attribute("async").value();
  if (name.empty()) return std::nullopt;
  return LibvirtJob{name, job.attribute("phase").value(), file->written};
}

std::optional<LibvirtStatus> libvirt_status(const Vm& vm, const std::filesystem::path& directory) {
  auto file = status_file(vm, directory);
  if (!file) return std::nullopt;
  auto pid = whole_number<pid_t>(file->status().attribute("pid").value());
  if (!pid) return std::nullopt;
  return LibvirtStatus{*pid, file->written};
}

}  // namespace guard
