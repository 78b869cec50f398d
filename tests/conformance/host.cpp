#include "tests/conformance/host.hpp"

#include <iterator>
#include <sstream>
#include <stdexcept>

namespace conformance {
namespace {

std::string text(const Lock& lock) {
  return lock.domain + " " + lock.name;
}
std::string text(Level level) {
  return level == EX ? " EX" : " PR";
}

}  // namespace

Reply Host::wait_for(int number) {
  auto reply = connection_.reply(number, patience_.awake);
  if (!reply) throw std::runtime_error("a call that must come back sleeps");
  return *reply;
}

Reply Host::ask(const std::string& command) {
  return wait_for(connection_.send(command));
}

Asked Host::trylock(const Lock& lock, Level level) {
  return {*this, connection_.send("trylock " + text(lock) + text(level))};
}

Asked Host::queue(const Lock& lock, Level level) {
  return {*this, connection_.send("queue " + text(lock) + text(level))};
}

Asked Host::unlink(const Lock& lock) {
  return {*this, connection_.send("unlink " + text(lock))};
}

bool Host::exists(const Lock& lock) {
  return ask("exists " + text(lock)).data == "1";
}

int Host::join(const std::string& domain) {
  return ask("join " + domain).code;
}

int Host::leave(const std::string& domain) {
  return ask("leave " + domain).code;
}

std::vector<std::string> Host::list(const std::string& domain) {
  std::istringstream words(ask("list " + domain).data);
  return {std::istream_iterator<std::string>(words), {}};
}

void Host::forget() {
  (void)ask("forget");
}

bool Asked::sleeps() {
  return !host_->connection_.reply(number_, host_->patience_.asleep);
}

int Asked::code() {
  return host_->wait_for(number_).code;
}

Open Asked::open() {
  Reply reply = host_->wait_for(number_);
  if (reply.code != 0) throw std::runtime_error("not granted: " + reply.data);
  return {*host_, number_};
}

void Open::close() {
  if (host_->ask(fmt::format("close {}", handle_)).code != 0) {
    throw std::runtime_error("closing what is not open");
  }
}

Lvb Open::read_lvb() {
  return out_of_hex(host_->ask(fmt::format("read {}", handle_)).data);
}

int Open::write_lvb(const Lvb& value) {
  return host_->ask(fmt::format("write {} {}", handle_, in_hex(value))).code;
}

bool Open::told() {
  return polls_in(host_->patience_.awake);
}

bool Open::undisturbed() {
  return !polls_in(host_->patience_.asleep);
}

bool Open::polls_in(std::chrono::milliseconds patience) {
  // The agent polls for half of that time, so that its reply arrives in time.
  auto reply = host_->ask(fmt::format("poll {} {}", handle_, patience.count() / 2));
  return reply.code == 0 && reply.data == "1";
}

}  // namespace conformance
