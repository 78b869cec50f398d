#include <map>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <pugixml.hpp>

#include "conf/escape.hpp"
#include "guard/command/checks/all.hpp"

namespace guard::command {
namespace {

/// A disk that a running VM may write to.
struct Disk {
  std::string vm, source;
  bool shareable = false;
};

/// Returns what identifies a file or a block device, whatever path leads to it. Returns the path if
/// it cannot be examined.
std::string identity_of_path(const std::string& path) {
  struct stat found = {};
  if (::stat(path.c_str(), &found) != 0) return path;
  if (S_ISBLK(found.st_mode)) {
    return fmt::format("block {}:{}", major(found.st_rdev), minor(found.st_rdev));
  }
  return fmt::format("file {}:{}", found.st_dev, found.st_ino);
}

/// Returns the identity of the disk and its source as users know it, or nullopt if it has no source
/// that two VMs can share.
std::optional<std::pair<std::string, std::string>> identify(pugi::xml_node source) {
  for (const char* place : {"file", "dev"}) {
    if (auto path = source.attribute(place)) {
      return std::pair(identity_of_path(path.value()), std::string(path.value()));
    }
  }
  std::string image;
  if (auto protocol = source.attribute("protocol")) {
    image = fmt::format("{}:{}", protocol.value(), source.attribute("name").value());
  } else if (auto volume = source.attribute("volume")) {
    image = fmt::format("{}/{}", source.attribute("pool").value(), volume.value());
  }
  return image.empty() ? std::nullopt : std::optional(std::pair(image, image));
}

/// Adds the disks of one VM to those of the others, by their identity. Returns false if its XML is
/// invalid.
[[nodiscard]] bool add_disks(std::map<std::string, std::vector<Disk>>& disks,
                             const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size(), pugi::parse_minimal)) return false;
  pugi::xml_node domain = document.document_element();
  for (pugi::xml_node disk : domain.child("devices").children("disk")) {
    if (disk.child("readonly")) continue;
    auto found = identify(disk.child("source"));
    if (!found) continue;
    disks[found->first].push_back(
        {domain.child("name").text().get(), found->second, !disk.child("shareable").empty()});
  }
  return true;
}

std::string shown(const std::string& text) {
  return conf::escape(text, conf::any_length);
}

}  // namespace

Finding check_disks(const Result<std::vector<std::string>>& running, const SystemPaths& paths) {
  if (!running) {
    return {"disks", Health::warn, "not known which VMs run: " + running.error().what,
            command_to_start_daemon(paths)};
  }
  std::map<std::string, std::vector<Disk>> disks;
  for (const std::string& xml : *running) {
    if (add_disks(disks, xml)) continue;
    return {"disks", Health::warn, "not known: libvirt's XML of a running VM is invalid",
            "virsh dumpxml VM"};
  }
  for (const auto& [identity, users] : disks) {
    for (std::size_t other = 1; other < users.size(); ++other) {
      const Disk& first = users.front();
      const Disk& second = users[other];
      if (first.vm == second.vm || (first.shareable && second.shareable)) continue;
      std::string disk = shown(first.source);
      if (first.source != second.source) disk += ", which is also " + shown(second.source);
      return {"disks", Health::warn,
              fmt::format("{} and {} run and may both write to {}", shown(first.vm),
                          shown(second.vm), disk),
              "give each VM its own disk, or mark it as <shareable/> in both VMs"};
    }
  }
  return {"disks", Health::ok, "no two running VMs write to one disk"};
}

}  // namespace guard::command
