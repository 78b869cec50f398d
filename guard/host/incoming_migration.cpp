#include "guard/host/incoming_migration.hpp"

#include <ctime>

#include "conf/toml.hpp"

namespace guard {
namespace {

constexpr std::string_view extension = ".migrate";

std::string file_of(const dlmfs::Uuid& uuid) {
  return uuid.text() + std::string(extension);
}

/// Since boot, suspend included: setting the wall clock makes no marker younger.
std::chrono::milliseconds since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace

bool IncomingMigration::counts(std::chrono::milliseconds window) const {
  return age() >= std::chrono::milliseconds::zero() && age() < window;
}

std::chrono::milliseconds IncomingMigration::age() const {
  return since_boot() - written;
}

Result<void> IncomingMigrations::write(const dlmfs::Uuid& uuid, const Caller& caller) const {
  return directory_.write(file_of(uuid),
                          fmt::format("milliseconds_since_boot = {}\ndaemon = {}\nthread = {}\n",
                                      since_boot().count(), caller.daemon, caller.thread()));
}

/// `caller`: nothing unless it is this one's.
std::optional<IncomingMigration> IncomingMigrations::read(const std::string& file,
                                                          const Caller* caller) const {
  auto text = directory_.read(file);
  if (!text || !*text) return std::nullopt;
  toml::parse_result parsed = toml::parse(**text);
  if (!parsed) return std::nullopt;
  const toml::table& table = parsed.table();
  if (caller != nullptr && table["daemon"].value<pid_t>() != caller->daemon) return std::nullopt;
  if (caller != nullptr && table["thread"].value<pid_t>() != caller->thread()) return std::nullopt;
  auto written = table["milliseconds_since_boot"].value<std::int64_t>();
  if (!written) return std::nullopt;
  return IncomingMigration{std::chrono::milliseconds(*written)};
}

std::optional<IncomingMigration> IncomingMigrations::consume(
    const dlmfs::Uuid& uuid, const Caller& caller, std::chrono::milliseconds window) const {
  auto marker = read(file_of(uuid), &caller);
  // One that can't be removed would count again: it counts for nothing.
  if (!discard(uuid) || !marker || !marker->counts(window)) return std::nullopt;
  return marker;
}

Result<void> IncomingMigrations::discard(const dlmfs::Uuid& uuid) const {
  return directory_.remove(file_of(uuid));
}

void IncomingMigrations::sweep(std::chrono::milliseconds window) const {
  auto files = directory_.list();
  if (!files) return;
  for (const std::string& file : *files) {
    if (!file.ends_with(extension) || file.starts_with('.')) continue;
    auto marker = read(file, nullptr);
    if (!marker || !marker->counts(window)) std::ignore = directory_.remove(file);
  }
}

}  // namespace guard
