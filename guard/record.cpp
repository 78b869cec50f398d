#include "guard/record.hpp"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "conf/toml.hpp"
#include "guard/in_quotes.hpp"

namespace guard {
namespace {

constexpr std::pair<How, std::string_view> how_words[] = {
    {How::start, "start"}, {How::hand_over, "hand-over"}, {How::adopted, "adopted"}};

std::string_view word(How how) {
  for (auto [value, text] : how_words) {
    if (value == how) return text;
  }
  return "";
}

std::optional<How> how_of(std::string_view text) {
  for (auto [value, word] : how_words) {
    if (word == text) return value;
  }
  return std::nullopt;
}

Error unreadable(const std::string& why) {
  return Error{EBADMSG, "the record is not readable: " + why};
}

}  // namespace

// By hand: toml++ writes into a stream, and a program's first stream costs it as much as the lock.
std::string to_toml(const Record& record) {
  std::string text = fmt::format(
      "uuid = {}\nname = {}\ndriver = {}\nsince = {}\nhow = {}\nreleased = {}\nshared = {}\n",
      in_quotes(record.vm.uuid.text()), in_quotes(record.vm.name), in_quotes(record.vm.driver),
      record.since.time_since_epoch().count(), in_quotes(word(record.how)), record.released,
      record.shared);
  if (record.handed_over) {
    text += fmt::format("handed_over = {}\n", record.handed_over->time_since_epoch().count());
  }
  if (record.qemu) {
    text +=
        fmt::format("pid = {}\npid_start_time = {}\n", record.qemu->pid, record.qemu->start_time);
  }
  return text;
}

Result<Record> record_from_toml(const std::string& text) {
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) return fail(unreadable(std::string(parsed.error().description())));
  const toml::table& table = parsed.table();
  auto uuid = dlmfs::Uuid::parse(table["uuid"].value_or(std::string_view()));
  auto how = how_of(table["how"].value_or(std::string_view()));
  auto name = table["name"].value<std::string>();
  auto since = table["since"].value<std::int64_t>();
  if (!uuid || !how || !name || !since) return fail(unreadable("a key is missing or wrong"));
  Record record{Vm{*name, *uuid, table["driver"].value_or(std::string("qemu"))},
                std::chrono::sys_seconds(std::chrono::seconds(*since)), *how};
  record.released = table["released"].value_or(false);
  record.shared = table["shared"].value_or(false);
  if (auto began = table["handed_over"].value<std::int64_t>()) {
    record.handed_over.emplace(std::chrono::milliseconds(*began));
  }
  if (auto pid = table["pid"].value<pid_t>()) {
    auto start_time = table["pid_start_time"].value_or(std::int64_t{0});
    record.qemu = Process{*pid, static_cast<std::uint64_t>(start_time)};
  }
  return record;
}

Result<std::optional<Record>> Records::find(const dlmfs::Uuid& uuid) const {
  auto text = directory_.read(uuid.text());
  if (!text) return fail(std::move(text).error());
  if (!*text) return std::nullopt;
  auto record = record_from_toml(**text);
  if (!record) return fail(std::move(record).error().in(directory_.path_of(uuid.text())));
  return std::move(*record);
}

Result<std::vector<dlmfs::Uuid>> Records::list() const {
  auto files = directory_.list();
  if (!files) return fail(std::move(files).error());
  std::vector<dlmfs::Uuid> uuids;
  for (const std::string& file : *files) {
    if (auto uuid = dlmfs::Uuid::parse(file)) uuids.push_back(*uuid);
  }
  return uuids;
}

std::optional<Record> Records::find_by_name(const std::string& driver,
                                            const std::string& name) const {
  auto uuids = list();
  if (!uuids) return std::nullopt;
  for (const dlmfs::Uuid& uuid : *uuids) {
    auto record = find(uuid);
    if (!record || !*record) continue;
    if ((*record)->vm.driver == driver && (*record)->vm.name == name) return std::move(*record);
  }
  return std::nullopt;
}

Result<void> Records::write(const Record& record) const {
  return directory_.write(record.vm.uuid.text(), to_toml(record));
}

Result<void> Records::remove(const dlmfs::Uuid& uuid) const {
  return directory_.remove(uuid.text());
}

}  // namespace guard
