#include "guard/state/incoming_migration.hpp"

#include <ctime>

#include "guard/state/key_values.hpp"

namespace guard {
namespace {

constexpr std::string_view extension = ".migrate";

std::string file_of(const dlmfs::Uuid& uuid) {
  return uuid.text() + std::string(extension);
}

/// Returns the time since boot, including suspend. Setting the wall clock does not change it.
std::chrono::milliseconds since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

/// Returns the announcement in a file's text, or nullopt if the text has another form, or if
/// `caller` is given and another caller wrote it.
std::optional<IncomingMigration> announcement_in(const std::string& text, const Caller* caller) {
  auto values = KeyValues::parse(text);
  if (!values) return std::nullopt;
  if (caller != nullptr && values->number<pid_t>("daemon") != caller->daemon) return std::nullopt;
  if (caller != nullptr && values->number<pid_t>("thread") != caller->thread()) return std::nullopt;
  auto written = values->number<std::int64_t>("milliseconds_since_boot");
  if (!written) return std::nullopt;
  return IncomingMigration{std::chrono::milliseconds(*written)};
}

}  // namespace

bool IncomingMigration::counts(std::chrono::milliseconds window) const {
  return age() >= std::chrono::milliseconds::zero() && age() < window;
}

std::chrono::milliseconds IncomingMigration::age() const {
  return since_boot() - written;
}

Result<void> IncomingMigrations::write(const dlmfs::Uuid& uuid, const Caller& caller) const {
  KeyValues values;
  values.set("milliseconds_since_boot", std::int64_t{since_boot().count()});
  values.set("daemon", std::int64_t{caller.daemon});
  values.set("thread", std::int64_t{caller.thread()});
  return directory_.write(file_of(uuid), values.to_text());
}

std::optional<IncomingMigration> IncomingMigrations::consume(
    const dlmfs::Uuid& uuid, const Caller& caller, std::chrono::milliseconds window) const {
  auto text = directory_.read(file_of(uuid));
  if (text && !*text) return std::nullopt;  // not announced
  auto announcement = text ? announcement_in(**text, &caller) : std::nullopt;
  // An announcement that can't be removed could be used twice, so it is not accepted.
  if (!discard(uuid) || !announcement || !announcement->counts(window)) return std::nullopt;
  return announcement;
}

Result<void> IncomingMigrations::discard(const dlmfs::Uuid& uuid) const {
  return directory_.remove(file_of(uuid));
}

void IncomingMigrations::sweep(std::chrono::milliseconds window) const {
  auto files = directory_.list();
  if (!files) return;
  for (const std::string& file : *files) {
    // `start-guard lock NAME` has its flock in this directory too, and NAME may end like this.
    if (!file.ends_with(extension)) continue;
    if (!dlmfs::Uuid::parse(file.substr(0, file.size() - extension.size()))) continue;
    auto text = directory_.read(file);
    auto announcement = text && *text ? announcement_in(**text, nullptr) : std::nullopt;
    if (!announcement || !announcement->counts(window)) std::ignore = directory_.remove(file);
  }
}

}  // namespace guard
