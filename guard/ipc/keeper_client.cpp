#include "guard/ipc/keeper_client.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"
#include "guard/system/socket_message.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {
namespace keeper_protocol {
namespace {

constexpr std::string_view version = "1";
constexpr std::pair<Request, std::string_view> words[] = {
    {Request::keep, "keep"}, {Request::close, "close"}, {Request::level, "level"},
    {Request::look, "look"}, {Request::list, "list"},   {Request::reconcile, "reconcile"}};

}  // namespace

std::string to_text(const Message& message) {
  // Only logs show the name. libvirt does not limit its length, so it may be truncated here.
  return fmt::format("{} {} {} {} {}", version, word_of(words, message.request),
                     message.vm.uuid.text(), message.vm.driver, message.vm.name)
      .substr(0, max_size);
}

std::optional<Message> message_from_text(std::string_view text) {
  if (take_until(' ', text) != version) return std::nullopt;
  auto request = value_of(words, take_until(' ', text));
  auto uuid = dlmfs::Uuid::parse(take_until(' ', text));
  std::string driver(take_until(' ', text));
  if (!request || !uuid || driver.empty() || text.empty()) return std::nullopt;
  return Message{*request, Vm{std::string(text), *uuid, driver}};
}

const Vm& nobody() {
  static const Vm nobody{"none", *dlmfs::Uuid::parse("00000000-0000-0000-0000-000000000000")};
  return nobody;
}

std::string to_text(const std::vector<KeeperClient::KeptLockInfo>& kept) {
  std::string text;
  for (const auto& each : kept) {
    std::string name = each.vm.name;
    std::replace(name.begin(), name.end(), '\n', '?');
    fmt::format_to(std::back_inserter(text), "{} {} {} {} {} {}\n", each.vm.uuid.text(),
                   each.level == dlmfs::Level::exclusive ? "ex" : "pr",
                   each.since.time_since_epoch().count(), guard::word(each.origin), each.vm.driver,
                   name);
  }
  return text;
}

std::vector<KeeperClient::KeptLockInfo> kept_from_text(std::string_view text) {
  std::vector<KeeperClient::KeptLockInfo> kept;
  while (!text.empty()) {
    std::string_view line = take_until('\n', text);
    auto uuid = dlmfs::Uuid::parse(take_until(' ', line));
    bool exclusive = take_until(' ', line) == "ex";
    auto level = exclusive ? dlmfs::Level::exclusive : dlmfs::Level::protected_read;
    auto since = whole_number<std::int64_t>(take_until(' ', line));
    auto how = origin_from(take_until(' ', line));
    std::string_view driver = take_until(' ', line);
    if (!uuid || !how || !since || line.empty()) continue;
    kept.push_back({Vm{std::string(line), *uuid, std::string(driver)}, level,
                    std::chrono::sys_seconds(std::chrono::seconds(*since)), *how});
  }
  return kept;
}

std::string level_answer(std::optional<dlmfs::Level> level) {
  if (!level) return std::string(ok);
  return fmt::format("{} {}", ok, *level == dlmfs::Level::exclusive ? "ex" : "pr");
}

}  // namespace keeper_protocol

bool Pins::quiet() const {
  if (!lock || lock->level != dlmfs::Level::exclusive) return false;
  pollfd queued{lock->fd.get(), POLLIN, 0};
  return ::poll(&queued, 1, 0) == 0;
}

namespace {

using keeper_protocol::Request;

/// Returns nullopt if the path has more than 107 bytes. Only tests use such a path.
std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

/// Limits how long each send or receive blocks to the time left until the deadline. `option` is
/// SO_SNDTIMEO or SO_RCVTIMEO.
void limit(int line, int option, const Deadline& until) {
  using std::chrono::microseconds;
  constexpr std::chrono::milliseconds least{1};  // 0 means no limit
  auto left = std::max<microseconds>(until.left(), least);
  auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  timeval patience{seconds.count(), (left - seconds).count()};
  ::setsockopt(line, SOL_SOCKET, option, &patience, sizeof patience);
}

/// Connects until the deadline. If the listener's backlog is full, connect(2) blocks; SO_SNDTIMEO
/// limits it, as it limits send(2).
UniqueFd connect_to(const std::string& path, const Deadline& until) {
  auto address = address_of(path);
  UniqueFd line(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!address || !line) return {};
  limit(line.get(), SO_SNDTIMEO, until);
  const auto* generic = reinterpret_cast<const sockaddr*>(&*address);
  if (::connect(line.get(), generic, sizeof *address) != 0) return {};
  return line;
}

/// A working keeper always replies within this time.
constexpr std::chrono::milliseconds longest_wait{1000};

struct Reply {
  bool connected = false;
  std::string text = {};  ///< empty: no reply
  UniqueFd with = {};     ///< the descriptor passed with the reply, if any
};

/// Sends a request and receives the reply. Returns after `within` at the latest.
Reply ask(const std::string& path, std::chrono::milliseconds within, Request request, const Vm& vm,
          const std::vector<int>& descriptors = {}) {
  Deadline until(within);
  UniqueFd line = connect_to(path, until);
  if (!line) return {};
  limit(line.get(), SO_SNDTIMEO, until);
  if (!send_message(line, keeper_protocol::to_text({request, vm}), descriptors)) return {true};
  limit(line.get(), SO_RCVTIMEO, until);
  auto received = receive_message(line, keeper_protocol::max_size);
  if (!received) return {true};
  Reply reply{true, std::move(received->text)};
  if (!received->descriptors.empty()) reply.with = std::move(received->descriptors.front());
  return reply;
}

}  // namespace

std::optional<pid_t> keeper_process(const std::string& state_directory) {
  UniqueFd line = connect_to(state_directory + "/" + keeper_protocol::file, Deadline(longest_wait));
  ucred listener{};
  socklen_t size = sizeof listener;
  if (!line || ::getsockopt(line.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) {
    return std::nullopt;
  }
  return listener.pid;
}

std::chrono::milliseconds SocketKeeperClient::patience() const {
  constexpr std::chrono::milliseconds after_deadline{250};
  return deadline_ ? std::min(longest_wait, deadline_->left() + after_deadline) : longest_wait;
}

bool SocketKeeperClient::keep(const Vm& vm, Pins pins) {
  std::vector<int> descriptors;
  if (pins.lock) descriptors.push_back(pins.lock->fd.get());
  if (pins.bell) descriptors.push_back(pins.bell->fd.get());
  return ask(path_, patience(), Request::keep, vm, descriptors).text == keeper_protocol::ok;
}

KeeperClient::Closed SocketKeeperClient::close(const Vm& vm) {
  Reply reply = ask(path_, patience(), Request::close, vm);
  if (!reply.connected) return Closed::no_keeper;
  if (reply.text == keeper_protocol::ok_quiet) return Closed::quiet;
  return reply.text == keeper_protocol::ok ? Closed::yes : Closed::no_answer;
}

KeeperClient::LevelReply SocketKeeperClient::level(const Vm& vm) {
  Reply reply = ask(path_, patience(), Request::level, vm);
  if (!reply.text.starts_with(keeper_protocol::ok)) return {};
  for (auto level : {dlmfs::Level::exclusive, dlmfs::Level::protected_read}) {
    if (reply.text == keeper_protocol::level_answer(level)) return {true, level};
  }
  return {true, std::nullopt};
}

std::optional<std::vector<KeeperClient::KeptLockInfo>> SocketKeeperClient::kept() {
  Reply reply = ask(path_, patience(), Request::list, keeper_protocol::nobody());
  if (reply.text != keeper_protocol::ok || !reply.with) return std::nullopt;
  auto text = read_fd(reply.with.get());
  if (!text) return std::nullopt;
  return keeper_protocol::kept_from_text(*text);
}

bool SocketKeeperClient::reconcile() {
  return ask(path_, patience(), Request::reconcile, keeper_protocol::nobody()).text ==
         keeper_protocol::ok;
}

void SocketKeeperClient::look(const Vm& vm) {
  std::ignore = ask(path_, patience(), Request::look, vm);
}

}  // namespace guard
