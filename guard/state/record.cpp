#include "guard/state/record.hpp"

#include <fmt/format.h>

#include "dlmfs/mount.hpp"
#include "guard/state/key_values.hpp"
#include "guard/system/parse_text.hpp"

namespace guard {
namespace {

constexpr std::pair<Origin, std::string_view> origin_words[] = {
    {Origin::start, "start"}, {Origin::hand_over, "hand-over"}, {Origin::adopted, "adopted"}};

constexpr const char* disk_count = "io_uring_disks";

std::string disk_key(std::size_t number) {
  return fmt::format("io_uring_disk_{}", number);
}

/// Returns the disks, or nullopt (unknown) if the count or one of the disks is missing.
std::optional<std::vector<std::string>> disks_in(const KeyValues& values) {
  auto count = values.number<std::size_t>(disk_count);
  if (!count) return std::nullopt;
  std::vector<std::string> disks;
  for (std::size_t i = 0; i < *count; ++i) {
    if (!values.contains(disk_key(i))) return std::nullopt;
    disks.push_back(values.text(disk_key(i)));
  }
  return disks;
}

std::vector<std::string> words_in(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    std::string_view word = take_until(' ', text);
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

Error unreadable_record(const std::string& why) {
  return Error{EBADMSG, "the record is not readable: " + why};
}

}  // namespace

std::string_view word(Origin origin) {
  return word_of(origin_words, origin);
}

std::optional<Origin> origin_from(std::string_view text) {
  return value_of(origin_words, text);
}

std::string to_text(const Record& record) {
  KeyValues values;
  values.set("uuid", record.vm.uuid.text());
  values.set("name", record.vm.name);
  values.set("driver", record.vm.driver);
  values.set("since", std::int64_t{record.since.time_since_epoch().count()});
  values.set("how", word(record.origin));
  values.set("released", record.released);
  values.set("shared", record.shared);
  if (!record.domain.empty()) values.set("domain", record.domain);
  if (record.handed_over) {
    values.set("handed_over", std::int64_t{record.handed_over->time_since_epoch().count()});
  }
  if (record.qemu) {
    values.set("pid", std::int64_t{record.qemu->pid});
    values.set("pid_start_time", static_cast<std::int64_t>(record.qemu->start_time));
  }
  if (const auto& disks = record.vm.io_uring_disks) {
    values.set(disk_count, static_cast<std::int64_t>(disks->size()));
    for (std::size_t i = 0; i < disks->size(); ++i)
      values.set(disk_key(i), (*disks)[i]);
  }
  if (!record.images.empty()) {
    values.set("images", fmt::format("{}", fmt::join(record.images, " ")));
  }
  return values.to_text();
}

Result<Record> record_from_text(const std::string& text) {
  auto values = KeyValues::parse(text);
  if (!values) return fail(unreadable_record(values.error().what));
  auto uuid = dlmfs::Uuid::parse(values->text("uuid"));
  auto origin = origin_from(values->text("how"));
  auto since = values->number<std::int64_t>("since");
  if (!uuid || !origin || !since || !values->contains("name")) {
    return fail(unreadable_record("a key is missing or wrong"));
  }
  Record record{Vm{values->text("name"), *uuid, values->text("driver", "qemu")},
                std::chrono::sys_seconds(std::chrono::seconds(*since)), *origin};
  record.released = values->flag("released");
  record.shared = values->flag("shared");
  record.domain = values->text("domain");
  bool named = dlmfs::DomainName::parse(record.domain + "-bell").has_value();
  if (!record.domain.empty() && !named) return fail(unreadable_record("the domain is none"));
  record.vm.io_uring_disks = disks_in(*values);
  record.images = words_in(values->text("images"));
  if (auto began = values->number<std::int64_t>("handed_over")) {
    record.handed_over.emplace(std::chrono::milliseconds(*began));
  }
  if (auto pid = values->number<pid_t>("pid")) {
    record.qemu = Process{*pid, values->number<std::uint64_t>("pid_start_time").value_or(0)};
  }
  return record;
}

Result<std::optional<Record>> Records::find(const dlmfs::Uuid& uuid) const {
  auto text = directory_.read(uuid.text());
  if (!text) return fail(std::move(text).error());
  if (!*text) return std::nullopt;
  auto record = record_from_text(**text);
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
  return directory_.write(record.vm.uuid.text(), to_text(record));
}

Result<void> Records::remove(const dlmfs::Uuid& uuid) const {
  return directory_.remove(uuid.text());
}

}  // namespace guard
