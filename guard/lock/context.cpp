#include "guard/lock/context.hpp"

#include "guard/log/system_log.hpp"

namespace guard {

Result<Context> open_context(conf::Settings settings) {
  auto directory = StateDirectory::open(settings.paths.state);
  if (!directory) return fail(std::move(directory).error());
  ClusterAccess cluster = cluster_access(settings);
  SystemLog log(settings.paths.state);
  return Context{std::move(settings), {std::move(*directory), std::move(log)}, std::move(cluster)};
}

}  // namespace guard
