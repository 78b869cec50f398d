#include "conf/settings.hpp"

#include <algorithm>
#include <cstdlib>
#include <fnmatch.h>
#include <string_view>
#include <strings.h>
#include <utility>

#include "conf/parse.hpp"
#include "conf/trusted_file.hpp"

namespace conf {

namespace {

/// Returns true if the text has the form of a UUID, d0c3b7a4-1111-4222-8333-4444555566ff, in upper
/// or lower case.
bool is_uuid(std::string_view text) {
  constexpr std::string_view form = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
  constexpr std::string_view hex_digits = "0123456789abcdefABCDEF";
  return text.size() == form.size() &&
         std::equal(text.begin(), text.end(), form.begin(), [&](char character, char wanted) {
           return wanted == '-' ? character == '-'
                                : hex_digits.find(character) != std::string_view::npos;
         });
}

}  // namespace

bool Settings::exempts(const std::string& vm_name, const std::string& vm_uuid) const {
  return std::any_of(guard.exempt.begin(), guard.exempt.end(), [&](const std::string& entry) {
    // A UUID never matches a name: a user who may rename VMs could give a VM that name.
    if (is_uuid(entry)) return ::strcasecmp(entry.c_str(), vm_uuid.c_str()) == 0;
    return ::fnmatch(entry.c_str(), vm_name.c_str(), 0) == 0;
  });
}

const char* path() {
  const char* other = std::getenv("START_GUARD_CONFIG");
  return other != nullptr ? other : default_path;
}

Result<Settings> load(const std::string& file) {
  auto text = read_trusted(file);
  if (!text) return tl::make_unexpected(std::move(text).error());
  if (!*text) return Settings{};
  return parse(**text, file);
}

}  // namespace conf
