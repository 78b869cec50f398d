#include "guard/state/record.hpp"

#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;

namespace {

Record full_record() {
  Record record{web, std::chrono::sys_seconds(std::chrono::seconds(1763846400)), Origin::hand_over};
  record.vm.name = "a \"web\" \\ VM, größer";
  record.vm.driver = "lxc";
  record.qemu = Process{4321, 987654321};
  record.released = true;
  return record;
}

}  // namespace

TEST_CASE("a record that is read equals the written one") {
  Record written = full_record();
  // Names that need no escape are read on a faster path.
  written.vm.name = GENERATE("a \"web\" \\ VM, größer", "web", "", "a = b", "a\tb",
                             "a\u009b31m\u202e\u2028 \x7f", "stray \x9b");
  auto read = record_from_text(to_text(written));
  REQUIRE(read);
  CHECK(read->vm.name == written.vm.name);
  CHECK(read->vm.uuid == written.vm.uuid);
  CHECK(read->vm.driver == "lxc");
  CHECK(read->since == written.since);
  CHECK(read->origin == Origin::hand_over);
  CHECK(read->released);
  REQUIRE(read->qemu);
  CHECK(read->qemu->pid == 4321);
  CHECK(read->qemu->start_time == 987654321);
}

TEST_CASE("a record contains the io_uring disks or none or that they are unknown") {
  using Disks = std::optional<std::vector<std::string>>;
  Record written = full_record();
  written.vm.name = GENERATE("web", "a \"web\"");
  written.vm.io_uring_disks =
      GENERATE(Disks{}, Disks({}), Disks({"/dev/vdb", "a \"b\"\n = c", "[\"\"]"}));
  written.images = GENERATE(FileIds{}, FileIds{"00:05:98"}, FileIds{"00:05:98", "fe:10:12"});
  auto read = record_from_text(to_text(written));
  REQUIRE(read);
  CHECK(read->vm.io_uring_disks == written.vm.io_uring_disks);
  CHECK(read->images == written.images);
}

TEST_CASE("a record with an invalid number of disks does not know them") {
  Record written = full_record();
  written.vm.io_uring_disks = {"/dev/vdb"};
  std::string text = to_text(written);
  auto count = GENERATE("2", "-1", "18446744073709551616", "x");
  text.replace(text.find("io_uring_disks = 1") + 17, 1, count);
  auto read = record_from_text(text);
  if (read) CHECK_FALSE(read->vm.io_uring_disks);
}

TEST_CASE("an invalid record text is an error") {
  auto text = GENERATE(as<std::string>{}, "", "uuid = 5", "rubbish",
                       "uuid = \"d0c3b7a4-1111-4222-8333-4444555566ff\"");
  auto record = record_from_text(text);
  REQUIRE_FALSE(record);
  CHECK(record.error().code == EBADMSG);
}

TEST_CASE("a record is found by its UUID and by driver and name") {
  TemporaryDirectory directory;
  auto state = StateDirectory::open(directory.path()).value();
  Records records(state);
  CHECK_FALSE(records.find(web.uuid).value());
  REQUIRE(records.write(Record{web, {}, Origin::start}));
  CHECK(records.find(web.uuid).value());
  CHECK(records.find_by_name("qemu", "web"));
  CHECK_FALSE(records.find_by_name("lxc", "web"));
  CHECK_FALSE(records.find_by_name("qemu", "we"));
  REQUIRE(records.remove(web.uuid));
  CHECK_FALSE(records.find(web.uuid).value());
  CHECK(records.remove(web.uuid));
}
