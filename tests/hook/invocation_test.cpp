#include "hook/invocation.hpp"

#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include "hook/domain_xml.hpp"
#include "tests/catch.hpp"

using hook::parse_invocation;

TEST_CASE("libvirt's four arguments are name, operation, sub-operation and extra") {
  auto invocation = parse_invocation({"/etc/libvirt/hooks/qemu", "web", "prepare", "begin", "-"});
  REQUIRE(invocation);
  CHECK(invocation->driver == "qemu");
  CHECK(invocation->vm_name == "web");
  CHECK(invocation->operation == "prepare");
}

TEST_CASE("the driver is the hook's file name, or its directory's") {
  auto driver = [](const std::string& program) {
    return parse_invocation({program, "web", "prepare", "begin", "-"})->driver;
  };
  CHECK(driver("/etc/libvirt/hooks/lxc") == "lxc");
  CHECK(driver("/etc/libvirt/hooks/libxl") == "libxl");
  CHECK(driver("/etc/libvirt/hooks/lxc.d/10-guard") == "lxc");
  CHECK(driver("/etc/libvirt/hooks/qemu.d/10-guard") == "qemu");
  CHECK(driver("guard") == "qemu");
}

TEST_CASE("fewer or more arguments are not libvirt's") {
  CHECK_FALSE(parse_invocation({}));
  CHECK_FALSE(parse_invocation({"qemu"}));
  CHECK_FALSE(parse_invocation({"qemu", "web", "prepare", "begin"}));
  CHECK_FALSE(parse_invocation({"qemu", "web", "prepare", "begin", "-", "more"}));
}

TEST_CASE("names that libvirt gives VMs are taken as they are") {
  auto name = GENERATE(as<std::string>{}, "web 1", "it's \"web\"", "größer", "$(reboot)", ".", "-x",
                       "tab\tbed", "\x7f", "\xc2\x9b[31m", std::string(255, 'n'));
  auto invocation = parse_invocation({"qemu", name, "prepare", "begin", "-"});
  REQUIRE(invocation);
  CHECK(invocation->vm_name == name);
}

TEST_CASE("names that libvirt gives no VM are refused") {
  auto name = GENERATE(as<std::string>{}, "", "a\nb", "a/b");
  CHECK_FALSE(parse_invocation({"qemu", name, "prepare", "begin", "-"}));
}

TEST_CASE("standard input is read to its end, and kept to a bound") {
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
