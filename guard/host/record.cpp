#include "guard/host/record.hpp"

#include <charconv>
#include <map>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "conf/toml.hpp"
#include "conf/toml_quote.hpp"
#include "dlmfs/mount.hpp"

namespace guard {
namespace {

constexpr std::pair<Origin, std::string_view> how_words[] = {
    {Origin::start, "start"}, {Origin::hand_over, "hand-over"}, {Origin::adopted, "adopted"}};

using Values = std::map<std::string, std::string, std::less<>>;

/// A number, a word, or a text in quotes that needed no escape.
std::optional<std::string_view> plain_value(std::string_view value) {
  if (!value.starts_with('"')) return value;
  if (value.size() < 2 || !value.ends_with('"')) return std::nullopt;
  value = value.substr(1, value.size() - 2);
  if (value.find_first_of("\"\\") != std::string_view::npos) return std::nullopt;
  return value;
}

/// The text of nearly every record, as `to_toml` writes it; nothing where it is not so plain. A
/// shortcut: to list 10,000 locks took toml++ three times as long as all the rest.
std::optional<Values> plain_values(std::string_view text) {
  constexpr std::string_view equals = " = ";
  Values values;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    std::size_t key_end = line.find(equals);
    if (key_end == std::string_view::npos) return std::nullopt;
    auto value = plain_value(line.substr(key_end + equals.size()));
    if (!value || !values.emplace(line.substr(0, key_end), *value).second) return std::nullopt;
  }
  return values;
}

template <typename Number>
std::optional<Number> number_in(const Values& values, std::string_view key) {
  auto found = values.find(key);
  if (found == values.end()) return std::nullopt;
  Number number{};
  const char* last = found->second.data() + found->second.size();
  auto [end, error] = std::from_chars(found->second.data(), last, number);
  if (error != std::errc() || end != last) return std::nullopt;
  return number;
}

std::string text_in(const Values& values, std::string_view key, const char* otherwise = "") {
  auto found = values.find(key);
  return found == values.end() ? otherwise : found->second;
}

constexpr const char* disk_count = "io_uring_disks";

std::string disk_key(std::size_t number) {
  return fmt::format("io_uring_disk_{}", number);
}

/// A count without its disks counts as unknown.
std::optional<std::vector<std::string>> disks_in(const Values& values) {
  auto count = number_in<std::size_t>(values, disk_count);
  if (!count) return std::nullopt;
  std::vector<std::string> disks;
  for (std::size_t i = 0; i < *count; ++i) {
    auto found = values.find(disk_key(i));
    if (found == values.end()) return std::nullopt;
    disks.push_back(found->second);
  }
  return disks;
}

std::vector<std::string> words_in(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

Error unreadable(const std::string& why) {
  return Error{EBADMSG, "the record is not readable: " + why};
}

Result<Values> parsed_values(const std::string& text) {
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) return fail(unreadable(std::string(parsed.error().description())));
  Values values;
  for (const auto& [key, node] : parsed.table()) {
    if (auto value = node.value<std::string>())
      values.emplace(key.str(), *value);
    else if (auto number = node.value_exact<std::int64_t>())
      values.emplace(key.str(), fmt::format("{}", *number));
    else if (auto yes = node.value_exact<bool>())
      values.emplace(key.str(), *yes ? "true" : "false");
  }
  return values;
}

}  // namespace

std::string_view word(Origin origin) {
  for (auto [value, text] : how_words) {
    if (value == origin) return text;
  }
  return "";
}

std::optional<Origin> origin_from(std::string_view text) {
  for (auto [value, word] : how_words) {
    if (word == text) return value;
  }
  return std::nullopt;
}

// By hand: toml++ writes into a stream, and a program's first stream costs it as much as the lock.
std::string to_toml(const Record& record) {
  std::string text = fmt::format(
      "uuid = {}\nname = {}\ndriver = {}\nsince = {}\nhow = {}\nreleased = {}\nshared = {}\n",
      conf::toml_quote(record.vm.uuid.text()), conf::toml_quote(record.vm.name),
      conf::toml_quote(record.vm.driver), record.since.time_since_epoch().count(),
      conf::toml_quote(word(record.origin)), record.released, record.shared);
  if (!record.domain.empty()) text += fmt::format("domain = {}\n", conf::toml_quote(record.domain));
  if (record.handed_over) {
    text += fmt::format("handed_over = {}\n", record.handed_over->time_since_epoch().count());
  }
  if (record.qemu) {
    text +=
        fmt::format("pid = {}\npid_start_time = {}\n", record.qemu->pid, record.qemu->start_time);
  }
  if (const auto& disks = record.vm.io_uring_disks) {
    text += fmt::format("{} = {}\n", disk_count, disks->size());
    for (std::size_t i = 0; i < disks->size(); ++i)
      text += fmt::format("{} = {}\n", disk_key(i), conf::toml_quote((*disks)[i]));
  }
  if (!record.images.empty()) {
    text += fmt::format("images = {}\n",
                        conf::toml_quote(fmt::format("{}", fmt::join(record.images, " "))));
  }
  return text;
}

Result<Record> record_from_toml(const std::string& text) {
  Values values;
  if (auto plain = plain_values(text)) {
    values = std::move(*plain);
  } else if (auto parsed = parsed_values(text)) {
    values = std::move(*parsed);
  } else {
    return fail(std::move(parsed).error());
  }
  auto uuid = dlmfs::Uuid::parse(text_in(values, "uuid"));
  auto how = origin_from(text_in(values, "how"));
  auto since = number_in<std::int64_t>(values, "since");
  if (!uuid || !how || !since || !values.contains("name")) {
    return fail(unreadable("a key is missing or wrong"));
  }
  Record record{Vm{text_in(values, "name"), *uuid, text_in(values, "driver", "qemu")},
                std::chrono::sys_seconds(std::chrono::seconds(*since)), *how};
  record.released = text_in(values, "released") == "true";
  record.shared = text_in(values, "shared") == "true";
  record.domain = text_in(values, "domain");
  bool named = dlmfs::DomainName::parse(record.domain + "-bell").has_value();
  if (!record.domain.empty() && !named) return fail(unreadable("the domain is none"));
  record.vm.io_uring_disks = disks_in(values);
  record.images = words_in(text_in(values, "images"));
  if (auto began = number_in<std::int64_t>(values, "handed_over")) {
    record.handed_over.emplace(std::chrono::milliseconds(*began));
  }
  if (auto pid = number_in<pid_t>(values, "pid")) {
    record.qemu = Process{*pid, number_in<std::uint64_t>(values, "pid_start_time").value_or(0)};
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
