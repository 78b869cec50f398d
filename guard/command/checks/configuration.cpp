#include "guard/command/checks/configuration.hpp"

#include <fmt/format.h>

namespace guard::command {

Finding check_configuration(const std::filesystem::path& file,
                            const Result<conf::Settings>& loaded) {
  if (!loaded) {
    return {"configuration", Health::fail,
            loaded.error().what + "; every start is denied, and below this the defaults count",
            fmt::format("edit {}; then systemctl restart start-guard", file.string())};
  }
  if (loaded->guard.on_cluster_down == conf::OnClusterDown::allow) {
    return {"configuration", Health::warn,
            "on_cluster_down = \"allow\": starts are unguarded while the cluster is down",
            fmt::format("set it to \"deny\" in {}", file.string())};
  }
  std::error_code error;
  bool there = std::filesystem::exists(file, error);
  return {"configuration", Health::ok, there ? file.string() : "none: the defaults"};
}

}  // namespace guard::command
