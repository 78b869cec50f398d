#include "conf/settings.hpp"

#include <algorithm>
#include <fnmatch.h>
#include <utility>

#include "conf/parse.hpp"
#include "conf/trusted_file.hpp"

namespace conf {

bool Settings::exempts(const std::string& vm_name) const {
  return std::any_of(guard.exempt.begin(), guard.exempt.end(), [&](const std::string& glob) {
    return ::fnmatch(glob.c_str(), vm_name.c_str(), 0) == 0;
  });
}

tl::expected<Settings, Error> load(const std::filesystem::path& file) {
  auto text = read_trusted(file);
  if (!text) return tl::make_unexpected(std::move(text).error());
  if (!*text) return Settings{};
  return parse(**text, file.native());
}

}  // namespace conf
