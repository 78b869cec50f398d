// For any text, parsing returns valid settings or one printable error line.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "conf/escape.hpp"
#include "conf/parse.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_error(const std::string& what) {
  require(what.rfind("f:", 0) == 0);
  require(what.find("; expected ") != std::string::npos);
  require(conf::escape(what, conf::any_length) == what);
}

void check_duration(std::chrono::milliseconds duration, std::chrono::milliseconds least) {
  require(duration >= least && duration <= std::chrono::hours(1));
}

void check_settings(const conf::Settings& settings) {
  using std::chrono::milliseconds;
  require(settings.dlmfs.mount.starts_with('/'));
  require(settings.paths.state.starts_with('/'));
  require(!settings.dlmfs.domain.empty() && settings.dlmfs.domain.size() + 5 <= 63);
  require(settings.dlmfs.domain.front() != '.');
  require(settings.dlmfs.domain.find('/') == std::string::npos);
  check_duration(settings.guard.acquire_timeout, milliseconds(100));
  check_duration(settings.guard.migrate_window, milliseconds(1));
  check_duration(settings.keeper.reconcile_interval, milliseconds(1));
  require(!settings.keeper.libvirt_uri.empty());
  for (const auto& glob : settings.guard.exempt)
    require(!glob.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto settings = conf::parse({reinterpret_cast<const char*>(data), size}, "f");
  if (settings) {
    check_settings(*settings);
  } else {
    check_error(settings.error().what);
  }
  return 0;
}
