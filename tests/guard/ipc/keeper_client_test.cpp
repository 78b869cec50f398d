#include "guard/ipc/keeper_client.hpp"

#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <vector>

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;
using namespace std::chrono_literals;

namespace {

/// A keeper that does not answer. The kernel still accepts connections for it, up to the backlog.
class StoppedKeeper {
 public:
  explicit StoppedKeeper(int backlog) {
    REQUIRE(::bind(listener_.get(), generic(), sizeof address_) == 0);
    REQUIRE(::listen(listener_.get(), backlog) == 0);
  }
  void fill() {
    for (;;) {
      auto line = socket(SOCK_NONBLOCK);
      if (::connect(line.get(), generic(), sizeof address_) != 0) break;
      waiting_.push_back(std::move(line));
    }
    REQUIRE(errno == EAGAIN);
  }
  [[nodiscard]] const std::filesystem::path& state() const { return directory_.path(); }

 private:
  static UniqueFd socket(int flags = 0) {
    return UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0));
  }
  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
  }
  [[nodiscard]] const sockaddr* generic() const {
    return reinterpret_cast<const sockaddr*>(&address_);
  }

  TemporaryDirectory directory_;
  sockaddr_un address_ = address_of(directory_.path() / keeper_protocol::file);
  UniqueFd listener_ = socket();
  std::vector<UniqueFd> waiting_;
};

const Vm vm{"web", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff")};

std::chrono::milliseconds time_of(SocketKeeperClient& line) {
  auto began = std::chrono::steady_clock::now();
  CHECK_FALSE(line.level(vm).keeper);
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
}

}  // namespace

TEST_CASE("a keeper that does not answer delays a hook by no more than the deadline allows") {
  StoppedKeeper keeper(4);
  SECTION("the keeper accepts the connection but does not answer") {}
  SECTION("the keeper accepts no more connections") {
    keeper.fill();
  }
  SocketKeeperClient late(keeper.state(), Deadline(0ms));
  CHECK(time_of(late) >= 240ms);
  CHECK(time_of(late) < 900ms);
  SocketKeeperClient nearly_late(keeper.state(), Deadline(100ms));
  CHECK(time_of(nearly_late) >= 330ms);
  CHECK(time_of(nearly_late) < 900ms);
}

TEST_CASE("keeper_process returns the pid of the listening process or nullopt") {
  StoppedKeeper keeper(4);
  CHECK(keeper_process(keeper.state()) == ::getpid());
  TemporaryDirectory nobody;
  CHECK_FALSE(keeper_process(nobody.path()));
}
