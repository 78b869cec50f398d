#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dlmfs {

/// The name of a lock in dlmfs: 1 to 31 bytes (the kernel's DLM_LOCKID_NAME_MAX is 32 with the
/// NUL), no '/', not "." or "..", and no leading '$', for which the kernel returns EINVAL. The
/// kernel accepts other characters, but people read and type names, so only printable ASCII without
/// spaces is allowed.
class Name {
 public:
  static constexpr std::size_t max_length = 31;
  [[nodiscard]] static std::optional<Name> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  friend bool operator==(const Name&, const Name&) = default;
  friend auto operator<=>(const Name&, const Name&) = default;

 protected:
  explicit Name(std::string text) : text_(std::move(text)) {}

 private:
  std::string text_;
};

}  // namespace dlmfs
