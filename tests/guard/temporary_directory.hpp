#pragma once

#include <filesystem>
#include <stdlib.h>
#include <string>
#include <system_error>

namespace guard {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string place = std::filesystem::temp_directory_path() / "start-guard-XXXXXX";
    path_ = ::mkdtemp(place.data());
  }
  /// A child process that the test has abandoned may still create and remove files there.
  ~TemporaryDirectory() {
    std::error_code failed;
    do {
      std::filesystem::remove_all(path_, failed);
    } while (failed == std::errc::no_such_file_or_directory ||
             failed == std::errc::directory_not_empty);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace guard
