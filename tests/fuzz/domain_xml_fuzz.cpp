#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "hook/domain_xml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string xml(reinterpret_cast<const char*>(data), size);
  auto domain = hook::parse_domain(std::move(xml));
  if (domain && domain->uuid.text().size() != 36) std::abort();
  if (!domain && domain.error().what.find('\n') != std::string::npos) std::abort();
  return 0;
}
