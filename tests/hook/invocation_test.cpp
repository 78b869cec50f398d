#include "hook/invocation.hpp"

#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include "hook/domain_xml.hpp"
#include "tests/catch.hpp"

using hook::parse_invocation;

TEST_CASE("the arguments are the VM's name then operation then sub-operation then extra") {
  auto invocation = parse_invocation({"/etc/libvirt/hooks/qemu", "web", "prepare", "begin", "-"});
  REQUIRE(invocation);
  CHECK(invocation->driver == "qemu");
  CHECK(invocation->vm_name == "web");
  CHECK(invocation->operation == "prepare");
}

TEST_CASE("the driver is the hook's file name or the name of its .d directory") {
  auto driver = [](const std::string& program) {
    return parse_invocation({program, "web", "prepare", "begin", "-"})->driver;
  };
  CHECK(driver("/etc/libvirt/hooks/lxc") == "lxc");
  CHECK(driver("/etc/libvirt/hooks/libxl") == "libxl");
  CHECK(driver("/etc/libvirt/hooks/lxc.d/10-guard") == "lxc");
  CHECK(driver("/etc/libvirt/hooks/qemu.d/10-guard") == "qemu");
  CHECK(driver("guard") == "qemu");
}

TEST_CASE("fewer or more than four arguments are an error") {
  CHECK_FALSE(parse_invocation({}));
  CHECK_FALSE(parse_invocation({"qemu"}));
  CHECK_FALSE(parse_invocation({"qemu", "web", "prepare", "begin"}));
  CHECK_FALSE(parse_invocation({"qemu", "web", "prepare", "begin", "-", "more"}));
}

TEST_CASE("the extra argument is the reason of a release unless it is empty or a dash") {
  auto reason = [](const std::string& extra) {
    return parse_invocation({"qemu", "web", "release", "end", extra})->reason;
  };
  CHECK(reason("-") == std::nullopt);
  CHECK(reason("") == std::nullopt);
  CHECK(reason("destroyed") == "destroyed");
  CHECK(reason("from snapshot") == "from snapshot");
  CHECK(reason(std::string(100'000, 'x')) == std::string(hook::max_reason_size, 'x'));
}

TEST_CASE("every VM name that libvirt allows is accepted unchanged") {
  auto name = GENERATE(as<std::string>{}, "web 1", "it's \"web\"", "größer", "$(reboot)", ".", "-x",
                       "tab\tbed", "\x7f", "\xc2\x9b[31m", std::string(255, 'n'));
  auto invocation = parse_invocation({"qemu", name, "prepare", "begin", "-"});
  REQUIRE(invocation);
  CHECK(invocation->vm_name == name);
}

TEST_CASE("a VM name that libvirt does not allow is an error") {
  auto name = GENERATE(as<std::string>{}, "", "a\nb", "a/b");
  CHECK_FALSE(parse_invocation({"qemu", name, "prepare", "begin", "-"}));
}

TEST_CASE("standard input is read to its end but only a limited size is kept") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  std::thread writer([fd = ends[1]] {
    std::string megabyte(1 << 20, 'x');
    for (int count = 0; count < 20; ++count) {
      std::ignore = ::write(fd, megabyte.data(), megabyte.size());
    }
    ::close(fd);
  });
  auto xml = hook::read_xml(ends[0]);
  writer.join();
  ::close(ends[0]);
  REQUIRE(xml);
  CHECK(xml->size() > hook::max_xml_size);
  CHECK(xml->size() < hook::max_xml_size + (1 << 17));
}
