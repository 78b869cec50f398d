#include "hook/oom_score.hpp"

#include <fcntl.h>
#include <string_view>
#include <tuple>
#include <unistd.h>

#include "guard/system/unique_fd.hpp"

namespace hook {

void refuse_oom_kill(const char* score_file) {
  constexpr std::string_view never = "-1000\n";
  guard::UniqueFd file(::open(score_file, O_WRONLY | O_CLOEXEC));
  if (file) std::ignore = ::write(file.get(), never.data(), never.size());
}

}  // namespace hook
