#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/system/result.hpp"

namespace guard {

/// Reads from the current position to the end of the file. The error has errno, but does not name
/// the file.
[[nodiscard]] Result<std::string> read_fd(int fd);

/// Reads a whole file. `flags`: more flags of open(2). The error has errno and names the file.
[[nodiscard]] Result<std::string> read_file(const std::string& path, int flags = 0);

/// Returns the first line of a kernel's file, which usually has only one; nullopt if it cannot be
/// read.
[[nodiscard]] inline std::optional<std::string> first_line(const std::string& file) {
  auto text = read_file(file);
  return text ? std::optional(text->substr(0, text->find('\n'))) : std::nullopt;
}

/// Returns the names of all entries of a directory, in no order, without "." and "..". An entry
/// that is created or removed meanwhile may be missing. The error has errno and names the
/// directory; a part of the entries is never returned as all of them. `at`: the directory to which
/// `path` is relative, as in openat(2).
[[nodiscard]] Result<std::vector<std::string>> list_directory(const std::string& path);
[[nodiscard]] Result<std::vector<std::string>> list_directory(int at, const std::string& path);

/// Writes the whole text. Returns false and sets errno if that fails.
[[nodiscard]] bool write_fd(int fd, std::string_view text);

/// Installs a file with this text and mode 0755 at `path`. Writes it to `part`, on the same file
/// system, and renames it. So a reader sees either the old state or the complete new file, even
/// after a power failure. EEXIST: `path` exists and `replaces` is false; then `path` is unchanged.
[[nodiscard]] Result<void> install_atomically(const std::filesystem::path& path,
                                              const std::filesystem::path& part,
                                              const std::string& text, bool replaces);

}  // namespace guard
