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

/// A UUID in libvirt's form: 36 characters, lower case.
class Uuid {
 public:
  /// Returns nullopt unless `text` has exactly the form d0c3b7a4-1111-4222-8333-4444555566ff. Does
  /// not accept upper case: one VM must have one lock name, and libvirt prints only lower case.
  [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  friend bool operator==(const Uuid&, const Uuid&) = default;
  friend auto operator<=>(const Uuid&, const Uuid&) = default;

 private:
  explicit Uuid(std::string_view text) : text_(text) {}
  std::string text_;
};

/// The name of a VM's lock. A UUID has 36 characters, but a Name has at most 31 bytes. So the name
/// is the UUID's first 23 characters, followed by its last 12 hex digits (6 bytes) as 8 characters
/// of base64url. The encoding is reversible, and `ls /dlm/vms` shows the beginning of each UUID.
class LockName : public Name {
 public:
  static constexpr std::size_t length = max_length;

  explicit LockName(const Uuid& uuid);
  /// Returns nullopt unless `text` is the lock name of a UUID.
  [[nodiscard]] static std::optional<LockName> parse(std::string_view text);

  [[nodiscard]] Uuid uuid() const;

 private:
  /// `text` has the length and the last characters of a lock name. The rest is not checked.
  explicit LockName(std::string_view text) : Name(std::string(text)) {}
  /// Returns the UUID's text, which is valid if the beginning of the name is.
  [[nodiscard]] std::string uuid_text() const;
};

}  // namespace dlmfs
