#include "dlmfs/peers.hpp"

#include <algorithm>
#include <string_view>

#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"

namespace dlmfs {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Returns the value in a line "  title:    value", or nullopt if the line has another title.
std::optional<std::string_view> value_of(std::string_view title, std::string_view line) {
  std::size_t begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos || !line.substr(begin).starts_with(title)) {
    return std::nullopt;
  }
  line.remove_prefix(begin + title.size());
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
  return line;
}

}  // namespace

std::optional<std::map<std::string, milliseconds>> silence_of_peers(const ClusterPaths& paths) {
  auto table = guard::read_file(paths.connections);
  if (!table) return std::nullopt;
  // The table has times of the kernel's monotonic clock.
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  std::map<std::string, milliseconds> silences;
  std::string name;
  bool connected = false;
  for (std::string_view rest = *table; !rest.empty();) {
    std::string_view line = guard::take_until('\n', rest);
    if (auto node = value_of("remote node:", line)) name = *node;
    if (auto handshake = value_of("handshake ok:", line)) connected = *handshake == "1";
    auto time = value_of("data ready:", line);
    if (!time || !connected) continue;
    microseconds heard{guard::leading_number<long>(*time).value_or(0)};
    auto silence = std::chrono::duration_cast<milliseconds>(now - heard);
    // An earlier connection to the host may still be listed.
    auto [found, added] = silences.emplace(name, silence);
    if (!added) found->second = std::min(found->second, silence);
  }
  return silences;
}

milliseconds keepalive_delay(const ClusterPaths& paths) {
  constexpr milliseconds kernel_default{2000};  // O2NET_KEEPALIVE_DELAY_MS_DEFAULT, tcp.h
  auto cluster = cluster_folder(paths);
  if (!cluster) return kernel_default;
  auto text = guard::read_file(*cluster + "/keepalive_delay_ms");
  auto number = guard::leading_number<long>(text ? *text : "");
  return number ? milliseconds(*number) : kernel_default;
}

}  // namespace dlmfs
