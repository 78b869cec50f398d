#include "hook/domain_xml.hpp"

#include "tests/catch.hpp"

using hook::parse_domain;

namespace {

const std::string uuid = "d0c3b7a4-1111-4222-8333-4444555566ff";

std::string domain_with(const std::string& content) {
  return "<domain type='kvm' id='3'>\n  <name>web</name>\n" + content + "</domain>\n";
}

}  // namespace

TEST_CASE("the hook reads the UUID directly below <domain>") {
  auto found = parse_domain(domain_with("<uuid>" + uuid + "</uuid>"));
  REQUIRE(found);
  CHECK(found->uuid.text() == uuid);
}

TEST_CASE("the hook ignores UUIDs in metadata and devices and comments") {
  auto found = parse_domain(domain_with(
      "<metadata><a:b "
      "xmlns:a='x'><uuid>11111111-1111-1111-1111-111111111111</uuid></a:b></metadata>"
      "<uuid>" +
      uuid +
      "</uuid>"
      "<devices><disk><uuid>22222222-2222-2222-2222-222222222222</uuid></disk></devices>"
      "<!-- <uuid>33333333-3333-3333-3333-333333333333</uuid> -->"));
  REQUIRE(found);
  CHECK(found->uuid.text() == uuid);
}

TEST_CASE("comments and an XML declaration around the root element are accepted") {
  CHECK(parse_domain("<?xml version='1.0'?><!-- a -->" + domain_with("<uuid>" + uuid + "</uuid>") +
                     "<!-- b -->"));
}

TEST_CASE("invalid domain XML is an error whose one line names the reason") {
  auto [xml, why] = GENERATE_COPY(table<std::string, std::string>({
      {"", "is empty"},
      {"hello", "not well-formed"},
      {std::string("\x7f"
                   "ELF\x02\x01\x01\xff\xfe",
                   9),
       "not well-formed"},
      {domain_with("<uuid>" + uuid + "</uuid>").substr(0, 90), "not well-formed"},
      {domain_with("<uuid>" + uuid + "</uuid>") + std::string("\0", 1), "NUL"},
      {domain_with(""), "has 0 <uuid> elements"},
      {domain_with("<uuid>" + uuid + "</uuid><uuid>" + uuid + "</uuid>"), "has 2 <uuid> elements"},
      {domain_with("<uuid>D0C3B7A4-1111-4222-8333-4444555566FF</uuid>"), "in lower case"},
      {domain_with("<uuid> " + uuid + "</uuid>"), "in lower case"},
      {domain_with("<uuid></uuid>"), "in lower case"},
      {domain_with("<metadata><uuid>" + uuid + "</uuid></metadata>"), "has 0 <uuid> elements"},
      {domain_with("<devices><disk><uuid>" + uuid + "</uuid></disk></devices>"),
       "has 0 <uuid> elements"},
      {domain_with("<uuid>" + uuid + "</uuid>") + domain_with("<uuid>" + uuid + "</uuid>"),
       "more than one root"},
      {"<network><uuid>" + uuid + "</uuid></network>", "no <domain>"},
      {domain_with("<uuid>" + uuid + "</uuid>" + std::string(10 << 20, ' ')), "is larger than"},
  }));
  auto found = parse_domain(xml);
  REQUIRE_FALSE(found);
  CHECK(found.error().what.find(why) != std::string::npos);
  CHECK(found.error().what.find('\n') == std::string::npos);
}

namespace {

std::vector<std::string> disks_of(const std::string& devices) {
  auto domain =
      parse_domain(domain_with("<uuid>" + uuid + "</uuid><devices>" + devices + "</devices>"));
  REQUIRE(domain);
  return domain->io_uring_disks;
}

}  // namespace

TEST_CASE("each io_uring disk is named by its source or else by its target") {
  CHECK(disks_of("<disk type='file'><driver name='qemu' io='io_uring'/><source file='/a.img'/>"
                 "<target dev='vda'/></disk>"
                 "<disk type='block'><driver cache=\"none\" io=\"io_uring\"/><source dev='/dev/b'/>"
                 "</disk>"
                 "<disk type='volume'><driver io='io_uring'/><source pool='p' volume='v'/></disk>"
                 "<disk type='vhostvdpa'><driver io='io_uring'/><target dev='vdd'/></disk>") ==
        std::vector<std::string>{"/a.img", "/dev/b", "p/v", "vdd"});
}

TEST_CASE("disks without io_uring and read-only disks are not listed") {
  auto devices = GENERATE(
      as<std::string>{}, "", "<disk/>",
      "<disk><driver io='native'/><source file='/a'/></disk>"
      "<disk><driver io='threads'/><source file='/a'/></disk>"
      "<disk><driver/><source file='/a'/></disk><disk><source file='/a'/></disk>",
      "<disk device='cdrom'><driver io='io_uring'/><source file='/a'/><readonly/></disk>",
      "<controller><driver io='io_uring'/></controller>",
      "<!-- <disk><driver io='io_uring'/></disk> --><x><disk><driver io='io_uring'/></disk></x>");
  CHECK(disks_of(devices).empty());
}

TEST_CASE("a disk's path stays as written in the XML") {
  CHECK(disks_of("<disk><driver io='io_uring'/><source file='/&lt;a&#10;\n\"b'/></disk>") ==
        std::vector<std::string>{"/&lt;a&#10;\n\"b"});
}

TEST_CASE("disks outside the domain's own <devices> are ignored") {
  auto domain = parse_domain(domain_with(
      "<metadata><devices><disk><driver io='io_uring'/></disk></devices></metadata><uuid>" + uuid +
      "</uuid>"));
  REQUIRE(domain);
  CHECK(domain->io_uring_disks.empty());
}
