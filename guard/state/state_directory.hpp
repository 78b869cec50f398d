#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/system/result.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {

/// The state directory of this host, /run/start-guard. A reboot removes it, as it removes this
/// host's locks in dlmfs, so the two stay consistent.
class StateDirectory {
 public:
  /// Opens the directory. Creates it with mode 0700 if it does not exist.
  [[nodiscard]] static Result<StateDirectory> open(const std::string& path);

  /// Returns the file's text, or nullopt if there is no such file.
  [[nodiscard]] Result<std::optional<std::string>> read(const std::string& file) const;
  /// Writes a temporary file and renames it, so a reader never sees a half-written file.
  [[nodiscard]] Result<void> write(const std::string& file, const std::string& text) const;
  /// Appends the text to the file. Creates the file if it does not exist. Ignores errors, for
  /// example if the file system is full.
  void append(const std::string& file, std::string_view text) const;
  /// Removes the file. Succeeds if there is no such file.
  [[nodiscard]] Result<void> remove(const std::string& file) const;
  /// Identifies one version of a file: another write gives another stamp.
  struct Stamp {
    std::uint64_t inode = 0;
    std::int64_t seconds = 0, nanoseconds = 0;  ///< st_ctim
    std::uint64_t size = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  /// Returns the file's stamp, or nullopt if there is no such file.
  [[nodiscard]] std::optional<Stamp> stamp(const std::string& file) const;
  /// The times of a file. An empty file can store data in them.
  struct Times {
    timespec accessed, modified;
  };
  /// Sets the file's times, with one system call if the file exists. Creates an empty file if it
  /// does not exist. Ignores errors.
  void set_times(const std::string& file, const Times& times) const;
  [[nodiscard]] std::optional<Times> times(const std::string& file) const;
  /// Returns the names of all entries, unsorted.
  [[nodiscard]] Result<std::vector<std::string>> list() const;
  /// Opens a file for flock(2). Creates the file if it does not exist.
  [[nodiscard]] Result<UniqueFd> open_for_flock(const std::string& file) const;

  [[nodiscard]] std::string path_of(const std::string& file) const { return path_ + "/" + file; }

 private:
  StateDirectory(std::string path, UniqueFd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}

  std::string path_;  // for messages only
  UniqueFd directory_;
};

}  // namespace guard
