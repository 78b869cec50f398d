#include "guard/keeper/event_loop.hpp"

#include <csignal>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace guard {
namespace {

/// The number of threads in a pool: more calls have to wait.
constexpr std::size_t pool_size = 8;

class Source final : public Loop::Registration {
 public:
  explicit Source(Loop::Callback callback)
      : callback_(std::make_shared<Loop::Callback>(std::move(callback))) {}
  ~Source() override { sd_event_source_disable_unref(source_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  sd_event_source** place() { return &source_; }
  /// The callback may destroy this object.
  void call() const {
    auto callback = callback_;
    (*callback)();
  }

 private:
  std::shared_ptr<Loop::Callback> callback_;
  sd_event_source* source_ = nullptr;
};

int call_io(sd_event_source*, int, std::uint32_t, void* source) {
  static_cast<const Source*>(source)->call();
  return 0;
}

int call_timer(sd_event_source*, std::uint64_t, void* source) {
  static_cast<const Source*>(source)->call();
  return 0;
}

void check(int status, const char* what) {
  if (status < 0) throw std::system_error(-status, std::generic_category(), what);
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::make() {
  // Block the signals before any thread is created, so that all threads inherit the mask.
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  UniqueFd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) return fail(system_error("eventfd"));
  sd_event* event = nullptr;
  if (int code = sd_event_new(&event); code < 0) return fail(system_error("sd_event_new", -code));
  return std::unique_ptr<EventLoop>(new EventLoop(event, std::move(bell)));
}

EventLoop::EventLoop(sd_event* event, UniqueFd bell) : event_(event) {
  shared_->bell = std::move(bell);
  finishing_ = while_readable(shared_->bell.get(), [this] { finish(); });
  for (int signal : {SIGTERM, SIGINT})
    check(sd_event_add_signal(event_, nullptr, signal, nullptr, nullptr), "sd_event_add_signal");
  for (std::size_t pool = 0; pool < std::size(shared_->pools); ++pool) {
    for (std::size_t thread_number = 0; thread_number < pool_size; ++thread_number)
      std::thread(work, shared_, pool).detach();
  }
}

EventLoop::~EventLoop() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->ending = true;
  }
  for (auto& pool : shared_->pools)
    pool.more.notify_all();
  finishing_.reset();
  sd_event_unref(event_);
}

Loop::Handle EventLoop::watch(int fd, std::uint32_t epoll_events, Callback callback) {
  auto source = std::make_unique<Source>(std::move(callback));
  check(sd_event_add_io(event_, source->place(), fd, epoll_events, call_io, source.get()),
        "sd_event_add_io");
  return source;
}

Loop::Handle EventLoop::when_readable(int fd, Callback callback) {
  return watch(fd, EPOLLIN | EPOLLET, std::move(callback));
}

Loop::Handle EventLoop::while_readable(int fd, Callback callback) {
  return watch(fd, EPOLLIN, std::move(callback));
}

Loop::Handle EventLoop::while_exceptional(int fd, Callback callback) {
  return watch(fd, EPOLLPRI, std::move(callback));
}

Loop::Handle EventLoop::after(std::chrono::milliseconds time, Callback callback) {
  auto source = std::make_unique<Source>(std::move(callback));
  auto microseconds = std::chrono::microseconds(time).count();
  check(sd_event_add_time_relative(event_, source->place(), CLOCK_BOOTTIME,
                                   static_cast<std::uint64_t>(microseconds), 0, call_timer,
                                   source.get()),
        "sd_event_add_time_relative");
  return source;
}

void EventLoop::run_async(WorkerPool pool, Callback work, Callback done) {
  auto& chosen = shared_->pools[static_cast<std::size_t>(pool)];
  {
    std::lock_guard lock(shared_->mutex);
    chosen.waiting.push_back({std::move(work), std::move(done)});
  }
  chosen.more.notify_one();
}

void EventLoop::work(const std::shared_ptr<Shared>& shared, std::size_t pool_number) {
  std::unique_lock lock(shared->mutex);
  auto& pool = shared->pools[pool_number];
  for (;;) {
    pool.more.wait(lock, [&] { return shared->ending || !pool.waiting.empty(); });
    if (shared->ending) return;
    Task task = std::move(pool.waiting.front());
    pool.waiting.pop_front();
    lock.unlock();
    task.work();
    task.work = nullptr;
    shared->finished(std::move(task.done));
    lock.lock();
  }
}

void EventLoop::Shared::finished(Callback callback) {
  {
    std::lock_guard lock(mutex);
    done.push_back(std::move(callback));
  }
  std::ignore = ::eventfd_write(bell.get(), 1);
}

void EventLoop::finish() {
  eventfd_t count = 0;
  std::ignore = ::eventfd_read(shared_->bell.get(), &count);
  std::deque<Callback> done;
  {
    std::lock_guard lock(shared_->mutex);
    done.swap(shared_->done);
  }
  for (const auto& callback : done)
    callback();
}

Result<void> EventLoop::run() {
  if (int ended = sd_event_loop(event_); ended < 0) {
    return fail(system_error("sd_event_loop", -ended));
  }
  return {};
}

}  // namespace guard
