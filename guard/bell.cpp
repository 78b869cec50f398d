#include "guard/bell.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace guard {
namespace {

using dlmfs::fail;
using dlmfs::Level;
using dlmfs::Lvb;
using dlmfs::OpenLock;
using dlmfs::Result;

constexpr std::string_view version = "1";
constexpr std::string_view running = "running";
constexpr std::string_view hand_off = "handoff";

/// The next word of `text`, taken from its front.
std::string_view take_word(std::string_view& text) {
  std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

std::optional<std::chrono::sys_seconds> time_of(std::string_view word) {
  std::int64_t seconds = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), seconds);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

/// Another host's text ends up in messages and logs.
bool printable(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char byte) { return byte > ' ' && byte < '\x7f'; });
}

}  // namespace

Lvb to_lvb(const Holder& holder) {
  std::string_view state = holder.state == Holder::State::running ? running : hand_off;
  std::string text =
      fmt::format("{} {} {} {} {}", version, state, holder.since.time_since_epoch().count(),
                  holder.told.time_since_epoch().count(), holder.host);
  Lvb value{};
  if (text.size() > value.size()) {
    text.resize(value.size());
    text.back() = '~';
  }
  std::copy(text.begin(), text.end(), value.begin());
  return value;
}

std::optional<Holder> holder_from_lvb(const Lvb& value) {
  std::string_view text(value.data(), value.size());
  text = text.substr(0, text.find('\0'));
  if (take_word(text) != version) return std::nullopt;
  std::string_view state = take_word(text);
  if (state != running && state != hand_off) return std::nullopt;
  auto since = time_of(take_word(text));
  auto told = time_of(take_word(text));
  if (!since || !told || !printable(text)) return std::nullopt;
  return Holder{std::string(text), *since, *told,
                state == running ? Holder::State::running : Holder::State::hand_off};
}

Result<OpenLock> Bell::announce(const Holder& holder) {
  // A host that is just asking holds PR for some milliseconds.
  constexpr int tries = 25;
  constexpr std::chrono::milliseconds between{20};
  auto lock = mount_.trylock(domain_, name_, Level::exclusive);
  for (int failed = 1; !lock && denied(lock.error()) && failed < tries; ++failed) {
    pause_(between);
    lock = mount_.trylock(domain_, name_, Level::exclusive);
  }
  if (!lock) return fail(std::move(lock).error().in("taking the bell"));
  if (auto written = mount_.write_lvb(*lock, to_lvb(holder)); !written) {
    return fail(std::move(written).error().in("writing the bell"));
  }
  return lock;
}

Result<std::optional<Holder>> Bell::ask_once() {
  auto lock = mount_.queue(domain_, name_, Level::protected_read);
  if (!lock) return fail(std::move(lock).error().in("asking the bell"));
  auto value = mount_.read_lvb(*lock);
  lock->fd.reset();
  // Until this is gone the holder can't write its bell again.
  if (auto gone = mount_.unlink(domain_, name_); !gone) return fail(std::move(gone).error());
  if (!value) return fail(std::move(value).error());
  return holder_from_lvb(*value);
}

Result<std::optional<Holder>> Bell::ask() {
  // A holder that has just been granted the lock may not have written its bell yet.
  constexpr int tries = 5;
  constexpr std::chrono::milliseconds between{60};
  auto holder = ask_once();
  for (int failed = 1; holder && !*holder && failed < tries; ++failed) {
    pause_(between);
    holder = ask_once();
  }
  return holder;
}

void Bell::withdraw() {
  // The master may remember the block for some seconds after the last lock on it is gone.
  if (auto lock = mount_.trylock(domain_, name_, Level::exclusive)) {
    std::ignore = mount_.write_lvb(*lock, Lvb{});
  }
  std::ignore = mount_.unlink(domain_, name_);
}

}  // namespace guard
