#include "guard/lock/acquire_result.hpp"

#include "guard/state/key_values.hpp"

namespace guard {
namespace {

template <typename Kind>
void set_kind(KeyValues& values, std::string_view key, Kind kind) {
  values.set(key, std::int64_t{static_cast<int>(kind)});
}

template <typename Kind>
std::optional<Kind> kind_in(const KeyValues& values, std::string_view key) {
  auto number = values.number<int>(key);
  return number ? std::optional(static_cast<Kind>(*number)) : std::nullopt;
}

/// The size of a message is limited, and both texts come from elsewhere.
std::string_view short_text(std::string_view text) {
  constexpr std::size_t most = 1000;
  return text.substr(0, most);
}

void set_last_run(KeyValues& values, const std::optional<LastRun>& last_run) {
  if (!last_run) return;
  set_kind(values, "last_run", last_run->kind);
  values.set("last_run_why", short_text(last_run->why));
  values.set("pid", std::int64_t{last_run->qemu.pid});
  values.set("pid_start_time", static_cast<std::int64_t>(last_run->qemu.start_time));
}

std::optional<LastRun> last_run_in(const KeyValues& values) {
  auto kind = kind_in<LastRun::Kind>(values, "last_run");
  if (!kind) return std::nullopt;
  return LastRun{*kind, values.text("last_run_why"),
                 Process{values.number<pid_t>("pid").value_or(0),
                         values.number<std::uint64_t>("pid_start_time").value_or(0)}};
}

}  // namespace

std::string to_text(const AcquireResult& result) {
  KeyValues values;
  set_kind(values, "kind", result.kind);
  values.set("why", short_text(result.why));
  if (result.holder) values.set("holder", to_text(*result.holder));
  set_last_run(values, result.last_run);
  values.set("shared", result.shared);
  values.set("kept", result.kept);
  return values.to_text();
}

std::string to_text(const UnlockResult& result) {
  KeyValues values;
  set_kind(values, "kind", result.kind);
  values.set("why", short_text(result.why));
  set_last_run(values, result.last_run);
  return values.to_text();
}

AcquireResult acquire_result_from(const std::string& text) {
  auto values = KeyValues::parse(text);
  if (!values) return {AcquireResult::Kind::failed, values.error().what};
  return {kind_in<AcquireResult::Kind>(*values, "kind").value_or(AcquireResult::Kind::failed),
          values->text("why"),
          holder_from_text(values->text("holder")),
          last_run_in(*values),
          values->flag("shared"),
          values->flag("kept")};
}

UnlockResult unlock_result_from(const std::string& text) {
  auto values = KeyValues::parse(text);
  if (!values) return {UnlockResult::Kind::failed, values.error().what};
  return {kind_in<UnlockResult::Kind>(*values, "kind").value_or(UnlockResult::Kind::failed),
          values->text("why"), last_run_in(*values)};
}

}  // namespace guard
