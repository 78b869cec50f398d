#include "guard/keeper/service.hpp"

#include <array>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "conf/settings.hpp"
#include "dlmfs/kernel_mount.hpp"
#include "guard/keeper/change_watch.hpp"
#include "guard/keeper/event_loop.hpp"
#include "guard/keeper/fd_store.hpp"
#include "guard/keeper/keeper.hpp"
#include "guard/keeper/libvirt.hpp"
#include "guard/log/system_log.hpp"
#include "guard/state/flock.hpp"
#include "guard/system/hidden_processes.hpp"
#include "guard/system/socket_message.hpp"

namespace guard {
namespace {

/// A request from a connection. Each connection has one request and one reply.
struct Request {
  keeper_protocol::Message message;
  std::vector<UniqueFd> descriptors;
};

std::optional<Request> receive(const UniqueFd& connection) {
  auto received = receive_message(connection, keeper_protocol::max_size, MSG_DONTWAIT);
  if (!received) return std::nullopt;
  auto message = keeper_protocol::message_from_text(received->text);
  if (!message) return std::nullopt;
  return Request{std::move(*message), std::move(received->descriptors)};
}

Pins pins_from(std::vector<UniqueFd> descriptors) {
  Pins pins;
  if (!descriptors.empty()) pins.lock = dlmfs::opened_before(std::move(descriptors[0]));
  if (descriptors.size() > 1) pins.bell = dlmfs::opened_before(std::move(descriptors[1]));
  return pins;
}

/// Returns a file in memory with this text, to pass a reply of any size at once.
UniqueFd in_memory(const std::string& text) {
  UniqueFd file(::memfd_create("kept", MFD_CLOEXEC));
  bool written =
      file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || ::lseek(file.get(), 0, SEEK_SET) != 0) return {};
  return file;
}

void reply(const UniqueFd& connection, std::string_view text,
           const std::vector<int>& descriptors = {}) {
  std::ignore = send_message(connection, text, descriptors, MSG_DONTWAIT);
}

/// The server of the keeper: keeper.sock in the state directory.
class KeeperServer {
 public:
  KeeperServer(EventLoop& loop, Keeper& keeper, UniqueFd listener)
      : loop_(loop), keeper_(keeper), listener_(std::move(listener)) {
    accepting_ = loop_.while_readable(listener_.get(), [this] { accept(); });
  }

 private:
  struct Connection {
    UniqueFd line;
    Loop::Handle watch;
  };

  void accept() {
    UniqueFd line(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!line) return;
    // Only root can use the directory and the socket. This is a second check.
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(line.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != 0) {
      return;
    }
    int number = line.get();
    Connection& connection = connections_[number];
    connection.line = std::move(line);
    connection.watch = loop_.while_readable(number, [this, number] { serve(number); });
  }

  void serve(int number) {
    auto line = std::make_shared<UniqueFd>(std::move(connections_[number].line));
    connections_.erase(number);
    auto request = receive(*line);
    if (!request) return reply(*line, "1 error: not understood");
    const auto& [what, vm] = request->message;
    switch (what) {
      case keeper_protocol::Request::keep:
        keeper_.keep(vm, pins_from(std::move(request->descriptors)));
        return reply(*line, keeper_protocol::ok);
      case keeper_protocol::Request::close:
        return keeper_.close(vm, [line](bool quiet) {
          reply(*line, quiet ? keeper_protocol::ok_quiet : keeper_protocol::ok);
        });
      case keeper_protocol::Request::level:
        return reply(*line, keeper_protocol::level_answer(keeper_.level(vm)));
      case keeper_protocol::Request::look:
        reply(*line, keeper_protocol::ok);
        return keeper_.look(vm);
      case keeper_protocol::Request::list: {
        UniqueFd list = in_memory(keeper_protocol::to_text(keeper_.kept()));
        if (!list) return reply(*line, "1 error: no memory");
        return reply(*line, keeper_protocol::ok, {list.get()});
      }
      case keeper_protocol::Request::reconcile:
        reply(*line, keeper_protocol::ok);
        return keeper_.reconcile();
    }
  }

  EventLoop& loop_;
  Keeper& keeper_;
  UniqueFd listener_;
  Loop::Handle accepting_;
  std::map<int, Connection> connections_;
};

Result<UniqueFd> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(system_error("listening at " + path, ENAMETOOLONG));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ::unlink(path.c_str());  // left over from a keeper that was killed
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  constexpr int backlog = 1024;
  if (!listener || ::bind(listener.get(), generic, sizeof address) != 0 ||
      ::listen(listener.get(), backlog) != 0) {
    return fail(system_error("listening at " + path));
  }
  return listener;
}

/// Returns this process's flock, or nullopt if a killed keeper still has it: one of its threads may
/// sleep in the kernel for long, but the keeper answers no more. Fails if another keeper answers.
Result<std::optional<Flock>> ensure_single_keeper(const Context& context) {
  auto flock = Flock::try_acquire(context.host.directory, "keeper.flock");
  if (flock) return std::move(*flock);
  if (flock.error().code != EWOULDBLOCK) return fail(std::move(flock).error());
  if (!SocketKeeperClient(context.settings.paths.state).level(keeper_protocol::nobody()).keeper)
    return std::nullopt;
  return fail(std::move(flock).error().in("another keeper runs here"));
}

/// Returns the time of the last change of the file (st_ctim), or 0 if there is no file.
timespec written(const std::filesystem::path& file) {
  struct stat found = {};
  return ::stat(file.c_str(), &found) == 0 ? found.st_ctim : timespec{};
}

/// Returns a function that loads guard.exempt again if the configuration file has changed. Hooks
/// read the configuration at each call. In this key, the keeper must not differ from them: it would
/// report a conflict or a missing lock for a VM that was started without one.
Loop::Callback follow_exemptions(Context& context, const std::filesystem::path& configuration) {
  return [&context, configuration, seen = written(configuration)]() mutable {
    timespec now = written(configuration);
    if (now.tv_sec == seen.tv_sec && now.tv_nsec == seen.tv_nsec) return;
    seen = now;
    auto settings = conf::load(configuration);
    if (settings) {
      context.settings.guard.exempt = settings->guard.exempt;
    } else {
      context.host.log_event(events.configuration_refused, {{"error", settings.error().what}});
    }
  };
}

/// Raises the limit of descriptors to the maximum: each lock needs two.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  std::ignore = ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Returns the inode of the file at this path, or 0 if there is none.
ino_t file_at(const std::string& path) {
  struct stat found = {};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

/// Returns a check that logs locks whose file system is no longer mounted: after `umount -l`,
/// descriptors keep it alive (MNT_DETACH in the kernel's fs/namespace.c). The check returns true as
/// long as there are such locks.
ChangeWatch::Check watch_mount(const Context& context, const Keeper& keeper) {
  return [&context, &keeper, seen = dev_t{0}, reported = std::size_t{0}]() mutable {
    struct stat found = {};
    bool there = ::stat(context.settings.dlmfs.mount.c_str(), &found) == 0;
    dev_t now = there ? found.st_dev : 0;
    if (now == seen && reported == 0)
      return false;  // usually the function ends here, after one system call
    seen = now;
    std::size_t outside = keeper.count_outside(now);
    if (outside == reported) return outside != 0;
    reported = outside;
    if (outside == 0) {
      context.host.log_event(events.dlmfs_attached, {});
      return false;
    }
    std::string why = fmt::format(
        "{} is no longer the dlmfs of these locks (umount -l?): they are held only while "
        "start-guard.service runs; mount it if it is not mounted, and shut the VMs down",
        context.settings.dlmfs.mount);
    context.host.log_event(events.dlmfs_detached,
                           {{"locks", std::to_string(outside)}, {"error", why}});
    return true;
  };
}

/// Returns a function that sends a changed status to systemd; `systemctl status start-guard` shows
/// it.
Loop::Callback report_status(const Keeper& keeper) {
  return [&keeper, reported = std::string()]() mutable {
    if (auto now = keeper.status(); now != reported) {
      reported = now;
      sd_notifyf(0, "STATUS=%s", reported.c_str());
    }
  };
}

}  // namespace

Error keep_locks(const std::filesystem::path& configuration, conf::Settings settings) {
  auto context = open_context(std::move(settings));
  if (!context) return context.error();
  auto alone = ensure_single_keeper(*context);
  if (!alone) return alone.error();
  allow_many_descriptors();
  auto loop = EventLoop::make();
  if (!loop) return loop.error();
  Libvirt libvirt(context->settings.keeper.libvirt_uri);
  SystemdFdStore fd_store;
  Keeper keeper(*context, libvirt, **loop, fd_store);
  libvirt.report_to([&](const auto& change) {
    (*loop)->post([&keeper, change] { keeper.libvirt_reported(change); });
  });
  keeper.before_comparing(follow_exemptions(*context, configuration));
  auto path = context->host.directory.path_of(keeper_protocol::file);
  auto listener = listen_at(path);
  if (!listener) return listener.error();
  KeeperServer server(**loop, keeper, std::move(*listener));
  // Without the socket, no hook finds the keeper. Exit, so that systemd starts it again.
  auto check_socket = [&, socket = file_at(path)] {
    if (file_at(path) == socket) return;
    context->host.log_event(events.keeper_failed, {{"error", path + " has been removed"}});
    ::_exit(EXIT_FAILURE);
  };

  context->host.log_event(events.keeper_started, {{"locks", std::to_string(keeper.recover())}});
  if (auto hidden = why_processes_are_hidden()) {
    context->host.log_event(events.processes_hidden,
                            {{"error", fmt::format("{}; {}", *hidden, unhide_processes)}});
  }
  sd_event_set_watchdog((*loop)->event(), true);
  auto report = report_status(keeper);
  report();
  keeper.after_comparing([&] { report(); });
  const auto& state = context->settings.paths.state;
  ChangeWatch watch(**loop, state, std::chrono::seconds(1),
                    [&, log = SystemLog(state), check_mount = watch_mount(*context, keeper)] {
                      check_socket();
                      report();
                      bool lines_left = log.report_lost();
                      return check_mount() || lines_left;
                    });
  sd_notify(0, "READY=1");
  auto ended = (*loop)->run();
  sd_notify(0, "STOPPING=1");
  ::unlink(path.c_str());
  context->host.log_event(events.keeper_stopped, {{"locks", std::to_string(keeper.count())}});
  // Exit without destructors: a thread that sleeps in the kernel cannot be joined, and it uses
  // these objects.
  ::_exit(ended ? EXIT_SUCCESS : EXIT_FAILURE);
}

}  // namespace guard
