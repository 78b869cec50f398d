#include "guard/command/verbs/all.hpp"

namespace guard::command {
namespace {

Outcome name_of(const std::string& text) {
  auto uuid = dlmfs::Uuid::parse(text);
  if (!uuid)
    return failure(ExitStatus::usage, fmt::format("'{}' is not a UUID in lower case", text));
  return {0, dlmfs::LockName(*uuid).text() + "\n", ""};
}

Outcome uuid_of(const std::string& text) {
  auto name = dlmfs::LockName::parse(text);
  if (!name)
    return failure(ExitStatus::usage, fmt::format("'{}' is not the name of a VM's lock", text));
  return {0, name->uuid().text() + "\n", ""};
}

}  // namespace

void add_name_uuid(CommandLine& command_line) {
  auto argument = std::make_shared<std::string>();
  command_line
      .add("name", "Print the name of a VM's lock",
           [argument] { return print(name_of(*argument)); })
      ->add_option("UUID", *argument, "the VM's")
      ->required();
  command_line
      .add("uuid", "Print the UUID of a lock's VM",
           [argument] { return print(uuid_of(*argument)); })
      ->add_option("NAME", *argument, "as in `ls /dlm/vms`")
      ->required();
}

}  // namespace guard::command
