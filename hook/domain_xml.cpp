#include "hook/domain_xml.hpp"

#include <array>
#include <iterator>
#include <unistd.h>

#include <pugixml.hpp>

namespace hook {
namespace {

tl::unexpected<guard::Error> bad(const std::string& why) {
  return guard::fail({EBADMSG, "the domain XML on standard input " + why});
}

std::string source_of(pugi::xml_node disk) {
  pugi::xml_node source = disk.child("source");
  for (const char* place : {"file", "dev"}) {
    if (auto path = source.attribute(place)) return path.value();
  }
  if (auto volume = source.attribute("volume")) {
    return fmt::format("{}/{}", source.attribute("pool").value(), volume.value());
  }
  return disk.child("target").attribute("dev").value();
}

std::vector<std::string> io_uring_disks_of(pugi::xml_node domain) {
  std::vector<std::string> disks;
  for (pugi::xml_node disk : domain.child("devices").children("disk")) {
    bool io_uring = std::string_view(disk.child("driver").attribute("io").value()) == "io_uring";
    if (io_uring && !disk.child("readonly")) disks.push_back(source_of(disk));
  }
  return disks;
}

}  // namespace

guard::Result<Domain> parse_domain(std::string xml) {
  if (xml.empty()) return bad("is empty");
  if (xml.size() > max_xml_size) return bad(fmt::format("is larger than {} bytes", max_xml_size));
  if (xml.find('\0') != std::string::npos) return bad("has a NUL byte in it");
  pugi::xml_document document;
  // Do not resolve entities or normalize: only the UUID and the names of disks are read.
  auto parsed = document.load_buffer_inplace(xml.data(), xml.size(), pugi::parse_minimal);
  if (!parsed) {
    return bad(
        fmt::format("is not well-formed at byte {}: {}", parsed.offset, parsed.description()));
  }
  pugi::xml_node domain = document.document_element();
  if (domain.next_sibling()) return bad("has more than one root element");
  if (std::string_view(domain.name()) != "domain") {
    return bad(fmt::format("has no <domain> as its root element"));
  }
  auto uuids = domain.children("uuid");
  auto count = std::distance(uuids.begin(), uuids.end());
  if (count != 1) return bad(fmt::format("has {} <uuid> elements in its <domain>, not one", count));
  auto uuid = dlmfs::Uuid::parse(uuids.begin()->text().get());
  if (!uuid) return bad("has a <uuid> that is not of the form libvirt writes, in lower case");
  return Domain{*uuid, io_uring_disks_of(domain)};
}

guard::Result<std::string> read_xml(int fd) {
  std::string xml;
  for (std::array<char, 4096> chunk;;) {
    ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return guard::fail(guard::system_error("reading standard input"));
    if (count == 0) return xml;
    if (xml.size() <= max_xml_size) xml.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace hook
