#include "hook/invocation.hpp"

#include <array>
#include <string_view>

namespace hook {
namespace {

constexpr std::array<std::string_view, 3> drivers = {"qemu", "lxc", "libxl"};

/// Returns the name after the last slash of a path, and removes both from the path.
std::string_view take_last_name(std::string_view& path) {
  std::size_t slash = path.rfind('/');
  std::string_view name = path.substr(slash + 1);  // npos + 1 is 0
  path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  return name;
}

/// Returns the driver for the path hooks/DRIVER or hooks/DRIVER.d/ANYTHING, or else "qemu".
std::string driver_of(std::string_view program) {
  std::string_view file = take_last_name(program);
  std::string_view folder = take_last_name(program);
  for (std::string_view driver : drivers) {
    if (file == driver || folder == std::string(driver) + ".d") return std::string(driver);
  }
  return std::string(drivers.front());
}

}  // namespace

guard::Result<Invocation> parse_invocation(const std::vector<std::string>& arguments) {
  if (arguments.size() != 5) {
    return guard::fail({EINVAL, fmt::format("called with {} arguments instead of four (NAME "
                                            "OPERATION SUB-OPERATION EXTRA); only libvirt's daemon "
                                            "calls this program",
                                            arguments.empty() ? 0 : arguments.size() - 1)});
  }
  const std::string& name = arguments[1];
  // libvirt itself refuses these names (domain_conf.c). A VM may have any other name, and is
  // guarded.
  if (name.empty() || name.find_first_of("/\n") != std::string::npos) {
    return guard::fail({EINVAL,
                        "libvirt gives no VM such a name: empty, with a slash or with an end of "
                        "line"});
  }
  const std::string& extra = arguments[4];
  std::optional<std::string> reason;
  if (!extra.empty() && extra != "-") reason = extra.substr(0, max_reason_size);
  return Invocation{driver_of(arguments[0]), name, arguments[2], std::move(reason)};
}

}  // namespace hook
