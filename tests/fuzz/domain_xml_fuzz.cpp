#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "hook/domain_xml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string xml(reinterpret_cast<const char*>(data), size);
  auto uuid = hook::uuid_of_domain(std::move(xml));
  if (uuid && uuid->text().size() != 36) std::abort();
  if (!uuid && uuid.error().what.find('\n') != std::string::npos) std::abort();
  return 0;
}
