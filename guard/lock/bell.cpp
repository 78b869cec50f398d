#include "guard/lock/bell.hpp"

#include <algorithm>
#include <cstdint>

#include "guard/system/parse_text.hpp"

namespace guard {
namespace {

using dlmfs::Level;
using dlmfs::Lvb;
using dlmfs::OpenLock;

constexpr std::string_view version = "1";
constexpr char plus = '+';
constexpr char dot = '.';
constexpr char cut_mark = '~';

using State = Holder::State;
constexpr std::pair<State, std::string_view> state_words[] = {
    {State::running, "running"},       {State::no_migration, "no-job"},
    {State::still_migrating, "again"}, {State::still_shared, "not-yet"},
    {State::libvirt_silent, "unsure"}, {State::hand_over_failed, "failed"},
    {State::blocked, "blocked"},       {State::hand_over, "handoff"},
    {State::accepted, "taken"},        {State::runs_here_too, "claims"}};

bool tells_of_job(State state) {
  return state == State::hand_over || state == State::still_migrating;
}

std::optional<std::chrono::sys_seconds> time_of(std::string_view word) {
  auto seconds = whole_number<std::int64_t>(word);
  if (!seconds) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(*seconds));
}

/// Returns true if this is a host name, which may be cut. The text of another host appears in
/// messages, in the log, and in a command that users paste into a shell. So it must not contain any
/// special character.
bool is_host_name(std::string_view text) {
  constexpr std::string_view alphanumeric =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  if (text.ends_with(cut_mark)) text.remove_suffix(1);
  return !text.empty() && alphanumeric.find(text.front()) != std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [&](char byte) {
           return alphanumeric.find(byte) != std::string_view::npos ||
                  std::string_view("._-").find(byte) != std::string_view::npos;
         });
}

}  // namespace

std::string to_text(const Holder& holder) {
  std::string state(word_of(state_words, holder.state));
  if (tells_of_job(holder.state)) {
    state += fmt::format("{}{}{}{}", plus, holder.job.age.count(), dot, holder.job.number);
  }
  std::string text =
      fmt::format("{} {} {} {} {}", version, state, holder.since.time_since_epoch().count(),
                  holder.told.time_since_epoch().count(), holder.host);
  constexpr std::size_t longest = std::tuple_size_v<Lvb>;
  if (text.size() > longest) {
    text.resize(longest);
    text.back() = cut_mark;
  }
  return text;
}

Lvb to_lvb(const Holder& holder) {
  std::string text = to_text(holder);
  Lvb value{};
  std::copy(text.begin(), text.end(), value.begin());
  return value;
}

std::optional<Holder> holder_from_lvb(const Lvb& value) {
  std::string_view text(value.data(), value.size());
  return holder_from_text(text.substr(0, text.find('\0')));
}

std::optional<Holder> holder_from_text(std::string_view text) {
  if (take_until(' ', text) != version) return std::nullopt;
  std::string_view said = take_until(' ', text);
  std::string_view job = said.substr(std::min(said.size(), said.find(plus)));
  auto state = value_of(state_words, said.substr(0, said.size() - job.size()));
  auto since = time_of(take_until(' ', text));
  auto told = time_of(take_until(' ', text));
  if (!state || !since || !told || !is_host_name(text)) return std::nullopt;
  Holder holder{std::string(text), *since, *told, *state};
  if (job.empty() == tells_of_job(*state)) return std::nullopt;
  if (job.empty()) return holder;
  std::size_t end_of_age = job.find(dot);
  if (end_of_age == std::string_view::npos) return std::nullopt;
  auto age = whole_number<std::int64_t>(job.substr(1, end_of_age - 1));
  auto number = whole_number<unsigned>(job.substr(end_of_age + 1));
  if (!age || !number) return std::nullopt;
  holder.job = {std::chrono::milliseconds(*age), *number};
  return holder;
}

Result<Bell::Armed> Bell::arm(const Holder& holder) {
  // A host that asks holds the bell for some milliseconds.
  constexpr int tries = 25;
  constexpr std::chrono::milliseconds between{20};
  auto lock = mount_.trylock(domain_, name_, Level::exclusive);
  for (int failed = 1; !lock && dlmfs::denied(lock.error()) && failed < tries; ++failed) {
    pause_(between);
    lock = mount_.trylock(domain_, name_, Level::exclusive);
  }
  if (!lock) return fail(std::move(lock).error().in("acquiring the bell"));
  auto before = mount_.read_lvb(*lock);
  if (auto written = mount_.write_lvb(*lock, to_lvb(holder)); !written) {
    return fail(std::move(written).error().in("writing the bell"));
  }
  return Armed{std::move(*lock), before ? holder_from_lvb(*before) : std::nullopt};
}

/// Removes this host's lock on the bell. Call this only after it was granted. If another process of
/// this host has queued a request meanwhile, that process removes the file: an unlink would hang
/// until its request is granted.
Result<void> Bell::remove() {
  if (mount_.own_request(domain_, name_) == dlmfs::OwnRequest::pending) return {};
  return mount_.unlink(domain_, name_);
}

Result<std::optional<Holder>> Bell::ask_once() {
  auto lock = mount_.queue(domain_, name_, Level::protected_read);
  if (!lock) return fail(std::move(lock).error().in("asking the bell"));
  auto value = mount_.read_lvb(*lock);
  lock->fd.reset();
  // The holder cannot write its bell again until this lock is removed.
  if (auto gone = remove(); !gone) return fail(std::move(gone).error());
  if (!value) return fail(std::move(value).error());
  return holder_from_lvb(*value);
}

Result<std::optional<Holder>> Bell::exchange_once(const SlotUpdate& update) {
  auto asked_at = std::chrono::steady_clock::now();
  auto lock = mount_.queue(domain_, name_, Level::exclusive);
  if (!lock) return fail(std::move(lock).error().in("exchanging the reply slot of the bell"));
  auto value = mount_.read_lvb(*lock);
  auto found = value ? holder_from_lvb(*value) : std::nullopt;
  auto waited = std::chrono::steady_clock::now() - asked_at;
  auto left = update(found, std::chrono::floor<std::chrono::milliseconds>(waited));
  auto written = mount_.write_lvb(*lock, left ? to_lvb(*left) : Lvb{});
  lock->fd.reset();
  if (auto gone = remove(); !gone) return fail(std::move(gone).error());
  if (!value) return fail(std::move(value).error());
  // The answer that is still there could be consumed twice.
  if (!written) return fail(std::move(written).error().in("writing the reply slot of the bell"));
  return found;
}

/// A holder that was granted the lock a moment ago may not have written its bell yet. Most callers
/// do not know whether any host holds the lock, so they must not wait long.
Result<std::optional<Holder>> Bell::retry_while_empty(const Once& once) const {
  constexpr int tries = 5;
  constexpr std::chrono::milliseconds between{60};
  auto holder = once();
  for (int failed = 1; holder && !*holder && failed < tries; ++failed) {
    pause_(between);
    holder = once();
  }
  return holder;
}

Result<std::optional<Holder>> Bell::ask() {
  return retry_while_empty([this] { return ask_once(); });
}

Result<std::optional<Holder>> Bell::exchange(const SlotUpdate& update) {
  return retry_while_empty([&] { return exchange_once(update); });
}

void Bell::withdraw() {
  // The DLM master may keep the value block for some seconds after the last lock on it is gone.
  if (auto lock = mount_.trylock(domain_, name_, Level::exclusive)) {
    std::ignore = mount_.write_lvb(*lock, Lvb{});
  }
  std::ignore = mount_.unlink(domain_, name_);
}

}  // namespace guard
