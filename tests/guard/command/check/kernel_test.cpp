#include "guard/command/check/kernel.hpp"

#include "tests/guard/command/check/made_up_places.hpp"

using namespace guard::command;

TEST_CASE("a kernel that leaks refused locks is not safe") {
  CHECK(is(check_kernel("5.19.0"), Health::ok));
  CHECK(is(check_kernel("6.1.0-56-amd64"), Health::ok));
  CHECK(is(check_kernel("10.0.1"), Health::ok));
  CHECK(is(check_kernel("5.18.19"), Health::fail));
  CHECK(is(check_kernel("4.20.0"), Health::fail));
  CHECK(is(check_kernel("next"), Health::warn));
}

TEST_CASE_METHOD(MadeUpPlaces, "a kernel that does not know dlmfs is told the module for it") {
  CHECK(is(check_module(places), Health::ok));
  write(places.file_systems, "nodev\tsysfs\nnodev\tocfs2_dlmfs2\n");
  CHECK(is(check_module(places), Health::fail));
  CHECK(says(check_module(places).mend, "modprobe ocfs2_dlmfs"));
}

TEST_CASE_METHOD(MadeUpPlaces, "no stack but o2cb will do") {
  CHECK(is(check_stack(places), Health::ok));
  write(places.cluster.stack, "pcmk\n");
  CHECK(is(check_stack(places), Health::fail));
  CHECK(says(check_stack(places).found, "pcmk"));
  std::filesystem::remove(places.cluster.stack);
  CHECK(is(check_stack(places), Health::fail));
  CHECK(says(check_stack(places).found, "no cluster stack is loaded"));
}
