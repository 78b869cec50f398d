#include "dlmfs/name.hpp"

#include <algorithm>

namespace dlmfs {

std::optional<Name> Name::parse(std::string_view text) {
  auto fits = [](char byte) { return byte > ' ' && byte <= '~' && byte != '/'; };
  if (text.empty() || text.size() > max_length || text.front() == '$') return std::nullopt;
  if (text == "." || text == ".." || !std::all_of(text.begin(), text.end(), fits)) {
    return std::nullopt;
  }
  return Name(std::string(text));
}

}  // namespace dlmfs
