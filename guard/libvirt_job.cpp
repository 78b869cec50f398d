#include "guard/libvirt_job.hpp"

#include <pugixml.hpp>

namespace guard {

std::optional<std::string> libvirt_job(const Vm& vm, const std::filesystem::path& directory) {
  if (vm.name.find('/') != std::string::npos) return std::nullopt;
  pugi::xml_document document;
  if (!document.load_file((directory / vm.driver / (vm.name + ".xml")).c_str())) {
    return std::nullopt;
  }
  std::string job = document.child("domstatus").child("job").attribute("async").value();
  if (job.empty()) return std::nullopt;
  return job;
}

}  // namespace guard
