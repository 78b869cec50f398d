#include "dlmfs/mount.hpp"

namespace dlmfs {

std::optional<DomainName> DomainName::parse(std::string_view text) {
  bool fits = !text.empty() && text.size() <= max_length && text.front() != '.' &&
              text.find('/') == std::string::npos && text.find('\0') == std::string::npos;
  if (!fits) return std::nullopt;
  return DomainName(text);
}

}  // namespace dlmfs
