#pragma once

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/system/result.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {

/// The directory of what this host must remember, /run/start-guard. It vanishes at a reboot, and
/// so do dlmfs's locks: the two agree.
class StateDirectory {
 public:
  /// Opens the directory; makes it, for root alone, if it is not there.
  [[nodiscard]] static Result<StateDirectory> open(const std::filesystem::path& path);

  /// The file's text; nothing if there is no such file.
  [[nodiscard]] Result<std::optional<std::string>> read(const std::string& file) const;
  /// Writes the file whole and then renames it into place: a reader never sees half of it.
  [[nodiscard]] Result<void> write(const std::string& file, const std::string& text) const;
  /// Adds to the end of a file, or makes it; where there is no room for it, it is not added.
  void append(const std::string& file, std::string_view text) const;
  /// A file that is not there is success.
  [[nodiscard]] Result<void> remove(const std::string& file) const;
  /// Which writing of the file this is; nothing if there is no such file.
  struct Stamp {
    std::uint64_t inode = 0;
    std::int64_t seconds = 0, nanoseconds = 0;  ///< of its last change
    std::uint64_t size = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  [[nodiscard]] std::optional<Stamp> stamp(const std::string& file) const;
  /// A file's times, which say all that an empty file has to say.
  struct Times {
    timespec accessed, modified;
  };
  /// Makes the file if it is not there. One system call if it is.
  void set_times(const std::string& file, const Times& times) const;
  [[nodiscard]] std::optional<Times> times(const std::string& file) const;
  /// The names of all files, in no order.
  [[nodiscard]] Result<std::vector<std::string>> list() const;
  /// Opens, and makes if need be, a file to be locked with flock(2).
  [[nodiscard]] Result<UniqueFd> open_for_flock(const std::string& file) const;

  [[nodiscard]] std::string path_of(const std::string& file) const { return path_ / file; }

 private:
  StateDirectory(std::filesystem::path path, UniqueFd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}

  std::filesystem::path path_;  // for messages only
  UniqueFd directory_;
};

}  // namespace guard
