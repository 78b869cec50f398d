#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "dlmfs/name.hpp"

namespace dlmfs {

/// A UUID as libvirt prints it: 36 characters, lower case.
class Uuid {
 public:
  /// Nothing unless `text` is exactly of the form d0c3b7a4-1111-4222-8333-4444555566ff. Upper case
  /// is not folded: one VM must have one lock, and libvirt never prints it.
  [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  friend bool operator==(const Uuid&, const Uuid&) = default;
  friend auto operator<=>(const Uuid&, const Uuid&) = default;

 private:
  explicit Uuid(std::string_view text) : text_(text) {}
  std::string text_;
};

/// The name of a VM's lock. A UUID's 36 characters are more than a Name's 31 bytes. So the name is
/// the UUID's first 23 characters as they stand, then its last 12 hex digits (6 bytes) in
/// base64url, 8 characters. Reversible; `ls /dlm/vms` can be searched for the start of a UUID.
class LockName : public Name {
 public:
  static constexpr std::size_t length = max_length;

  explicit LockName(const Uuid& uuid);
  /// Nothing unless `text` is the lock name of some UUID.
  [[nodiscard]] static std::optional<LockName> parse(std::string_view text);

  [[nodiscard]] Uuid uuid() const;
};

}  // namespace dlmfs
