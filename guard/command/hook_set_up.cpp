#include "guard/command/hook_set_up.hpp"

#include "conf/settings.hpp"

namespace guard::command {

HookSetUp hook_set_up_of_this_host() {
  HookSetUp set_up;
  if (auto settings = conf::load(conf::path())) set_up.state = settings->paths.state;
  return set_up;
}

}  // namespace guard::command
