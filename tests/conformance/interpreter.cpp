#include "tests/conformance/interpreter.hpp"

#include <poll.h>
#include <sstream>
#include <stdexcept>

namespace conformance {
namespace {

using dlmfs::DomainName;
using dlmfs::Level;
using dlmfs::LockName;
using dlmfs::Lvb;
using dlmfs::Name;
using dlmfs::OpenLock;
using guard::Result;

std::string word(std::istringstream& words) {
  std::string text;
  if (!(words >> text)) throw std::invalid_argument("a word is missing");
  return text;
}

DomainName domain_in(std::istringstream& words) {
  return DomainName::parse(word(words)).value();
}

template <typename Value>
Reply reply_to(const Result<Value>& result, const std::string& data = "") {
  if (!result) return Reply{result.error().code, result.error().what};
  return Reply{0, data};
}

Reply names_in(const Result<std::vector<LockName>>& names) {
  std::string text;
  if (names) {
    for (const LockName& name : *names)
      text += name.text() + " ";
  }
  return reply_to(names, text);
}

Reply poll_for(const OpenLock& lock, int milliseconds) {
  pollfd entry{lock.fd.get(), POLLIN, 0};
  int ready = ::poll(&entry, 1, milliseconds);
  return Reply{ready < 0 ? errno : 0, (entry.revents & POLLIN) != 0 ? "1" : "0"};
}

}  // namespace

std::string in_hex(const Lvb& value) {
  std::string text;
  for (char byte : value)
    text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

Lvb out_of_hex(const std::string& text) {
  Lvb value{};
  if (text.size() != 2 * value.size()) throw std::invalid_argument("no lock value block: " + text);
  for (std::size_t i = 0; i < value.size(); ++i) {
    value[i] = static_cast<char>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  }
  return value;
}

Reply Interpreter::run(int number, const std::string& command) {
  std::istringstream words(command);
  std::string verb = word(words);
  if (verb == "forget") return forget();
  if (verb == "join" || verb == "leave" || verb == "list") return on_domain(verb, words);
  if (verb == "close" || verb == "read" || verb == "write" || verb == "poll") {
    return on_handle(verb, words);
  }
  return on_lock(number, verb, words);
}

Reply Interpreter::on_domain(const std::string& verb, Words& words) {
  DomainName domain = domain_in(words);
  if (verb == "join") return reply_to(mount_.join(domain));
  if (verb == "leave") return reply_to(mount_.leave(domain));
  return names_in(mount_.list(domain));
}

Reply Interpreter::on_lock(int number, const std::string& verb, Words& words) {
  DomainName domain = domain_in(words);
  Name name = Name::parse(word(words)).value();
  if (verb == "unlink") return reply_to(mount_.unlink(domain, name));
  if (verb == "exists") {
    auto found = mount_.exists(domain, name);
    return reply_to(found, found && *found ? "1" : "0");
  }
  Level level = word(words) == "EX" ? Level::exclusive : Level::protected_read;
  int before = generation();
  if (verb == "trylock") return opened(number, before, mount_.trylock(domain, name, level));
  if (verb == "queue") return opened(number, before, mount_.queue(domain, name, level));
  throw std::invalid_argument("no such command: " + verb);
}

Reply Interpreter::on_handle(const std::string& verb, Words& words) {
  int handle = std::stoi(word(words));
  if (verb == "close") return close(handle);
  auto lock = find(handle);
  if (!lock) return Reply{EBADF, "no such handle"};
  if (verb == "write") return write(*lock, words);
  if (verb == "poll") return poll_for(*lock, std::stoi(word(words)));
  auto value = mount_.read_lvb(*lock);
  return reply_to(value, in_hex(value.value_or(Lvb{})));
}

Reply Interpreter::write(const OpenLock& lock, Words& words) {
  return reply_to(mount_.write_lvb(lock, out_of_hex(word(words))));
}

Reply Interpreter::opened(int number, int generation, Result<OpenLock> lock) {
  if (!lock) return reply_to(lock);
  std::lock_guard guard(mutex_);
  if (generation != generation_) return Reply{ECANCELED, "forgotten meanwhile"};
  handles_[number] = std::make_shared<OpenLock>(std::move(*lock));
  return Reply{};
}

int Interpreter::generation() {
  std::lock_guard guard(mutex_);
  return generation_;
}

Reply Interpreter::close(int handle) {
  std::lock_guard guard(mutex_);
  return handles_.erase(handle) == 1 ? Reply{} : Reply{EBADF, "no such handle"};
}

Reply Interpreter::forget() {
  std::lock_guard guard(mutex_);
  ++generation_;
  handles_.clear();
  return Reply{};
}

std::shared_ptr<OpenLock> Interpreter::find(int handle) {
  std::lock_guard guard(mutex_);
  auto found = handles_.find(handle);
  return found == handles_.end() ? nullptr : found->second;
}

}  // namespace conformance
