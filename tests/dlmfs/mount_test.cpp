#include "dlmfs/mount.hpp"

#include "tests/catch.hpp"

using dlmfs::DomainName;

TEST_CASE("a domain name is one path component of at most 63 bytes") {
  CHECK(DomainName::parse("vms"));
  CHECK(DomainName::parse("vms-bell"));
  CHECK(DomainName::parse(std::string(63, 'd')));
}

TEST_CASE("a domain name that leaves the mount or that the kernel rejects is invalid") {
  auto text = GENERATE(as<std::string>{}, "", ".", "..", ".vms", "/", "/vms", "vms/", "a/b",
                       std::string(64, 'd'), std::string("a\0b", 3));
  CHECK_FALSE(DomainName::parse(text));
}

TEST_CASE("only ETXTBSY is a denial") {
  CHECK(dlmfs::denied({ETXTBSY, ""}));
  CHECK_FALSE(dlmfs::denied({EBUSY, ""}));
  CHECK_FALSE(dlmfs::denied({EINVAL, ""}));
}
