#pragma once

#include <filesystem>
#include <stdlib.h>
#include <string>

namespace guard {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string place = std::filesystem::temp_directory_path() / "start-guard-XXXXXX";
    path_ = ::mkdtemp(place.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace guard
