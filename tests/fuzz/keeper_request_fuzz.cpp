#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "guard/ipc/keeper_client.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace guard::keeper_protocol;
  auto message = message_from_text({reinterpret_cast<const char*>(data), size});
  if (!message || size > max_size) return 0;
  // A parsed request must be the same after a round trip.
  auto again = message_from_text(to_text(*message));
  if (!again || again->request != message->request || again->vm.uuid != message->vm.uuid ||
      again->vm.name != message->vm.name || again->vm.driver != message->vm.driver) {
    std::abort();
  }
  return 0;
}
