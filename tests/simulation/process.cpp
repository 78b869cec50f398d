#include "tests/simulation/process.hpp"

#include <algorithm>
#include <poll.h>

namespace guard::simulation {

using dlmfs::DomainName;
using dlmfs::Name;

/// Sometimes the host is busy, and the process does not run for a while.
void SleepingMount::give_way() {
  if (!may_wait_) return;
  constexpr std::size_t seldom = 256;
  constexpr std::size_t longest = 3000;
  if (scheduler_.choose(seldom) == 0)
    return scheduler_.sleep(milliseconds(scheduler_.choose(longest)));
  scheduler_.yield();
}

Result<void> SleepingMount::join(const DomainName& d) {
  give_way();
  return host_.join(d);
}

Result<void> SleepingMount::leave(const DomainName& d) {
  give_way();
  return host_.leave(d);
}

Result<bool> SleepingMount::exists(const DomainName& d, const Name& n) {
  give_way();
  return host_.exists(d, n);
}

Result<dlmfs::OpenLock> SleepingMount::trylock(const DomainName& d, const Name& n,
                                               dlmfs::Level level) {
  give_way();
  return opened(d, n, [&] { return host_.trylock(d, n, level); });
}

Result<dlmfs::OpenLock> SleepingMount::queue(const DomainName& d, const Name& n,
                                             dlmfs::Level level) {
  give_way();
  return queue_at_once(d, n, level);
}

Result<dlmfs::OpenLock> SleepingMount::queue_at_once(const DomainName& d, const Name& n,
                                                     dlmfs::Level level) {
  return opened(d, n, [&] { return host_.queue(d, n, level); });
}

Result<dlmfs::OpenLock> SleepingMount::opened(
    const DomainName& d, const Name& n, const std::function<Result<dlmfs::OpenLock>()>& call) {
  std::pair key{d.text(), n.text()};
  if (may_wait_ && asleep_.contains(key)) {
    scheduler_.wait_uninterruptibly([&] { return !asleep_.contains(key); });
  }
  auto result = call();
  if (result || !dlmfs::would_sleep(result.error()) || !may_wait_) return result;
  asleep_.insert(key);
  struct Awake {
    Asleep& asleep;
    const Asleep::value_type& key;
    ~Awake() { asleep.erase(key); }
  } awake{asleep_, key};
  std::optional<Result<dlmfs::OpenLock>> outcome;
  scheduler_.wait_uninterruptibly([&] {
    if (outcome) return true;
    if (auto up = host_.exists(d, n); !up) outcome = fail(std::move(up).error());  // it lost power
    if (!outcome) outcome = host_.finished(d, n);
    return outcome.has_value();
  });
  return std::move(*outcome);
}

dlmfs::OwnRequest SleepingMount::own_request(const DomainName& d, const Name& n) {
  give_way();
  return host_.own_request(d, n);
}

Result<void> SleepingMount::unlink(const DomainName& d, const Name& n) {
  give_way();
  if (asleep_.contains({d.text(), n.text()})) hangs_();
  auto result = host_.unlink(d, n);
  if (result || !dlmfs::would_sleep(result.error()) || !may_wait_) return result;
  scheduler_.wait_uninterruptibly([&] {
    result = host_.unlink(d, n);
    return result || !dlmfs::would_sleep(result.error());
  });
  return result;
}

Result<dlmfs::Lvb> SleepingMount::read_lvb(const dlmfs::OpenLock& lock) {
  return host_.read_lvb(lock);
}

Result<void> SleepingMount::write_lvb(const dlmfs::OpenLock& lock, const dlmfs::Lvb& value) {
  return host_.write_lvb(lock, value);
}

Result<std::vector<dlmfs::LockName>> SleepingMount::list(const DomainName& d) {
  give_way();
  return host_.list(d);
}

namespace {

/// What a hook and its child share.
struct Fork {
  std::deque<std::string> messages;
  Scheduler::Id child = 0;
  bool accepted = false, closed = false;
};

class FiberCall final : public PendingCall {
 public:
  FiberCall(Scheduler& scheduler, std::shared_ptr<Fork> fork, ForkingFibers::Left left)
      : scheduler_(scheduler), fork_(std::move(fork)), left_(std::move(left)) {}
  ~FiberCall() override {
    fork_->closed = true;
    constexpr milliseconds longest_clean_up{500};
    auto child_ended = [this] { return scheduler_.ended(fork_->child); };
    bool waits = !fork_->accepted && !abandoned_;
    if (waits && scheduler_.wait_in_destructor(child_ended, longest_clean_up)) return;
    if (fork_->accepted) {
      scheduler_.wait_in_destructor(child_ended);
      return;
    }
    left_();
    scheduler_.wait_in_destructor(child_ended);
  }

  Result<std::string> receive(const Deadline& deadline) override {
    bool in_time = scheduler_.wait_until(
        [this] { return !fork_->messages.empty() || scheduler_.ended(fork_->child); },
        deadline.left());
    if (!in_time) {
      abandoned_ = true;
      return fail(Error{ETIMEDOUT, "asleep"});
    }
    if (fork_->messages.empty()) return fail(Error{EPIPE, "the child was killed"});
    std::string message = std::move(fork_->messages.front());
    fork_->messages.pop_front();
    return message;
  }
  bool abandoned() const override { return abandoned_; }
  void accept() override { fork_->accepted = true; }

 private:
  Scheduler& scheduler_;
  std::shared_ptr<Fork> fork_;
  ForkingFibers::Left left_;
  bool abandoned_ = false;
};

}  // namespace

std::unique_ptr<PendingCall> ForkingFibers::start(AbandonableCall& call) {
  auto fork = std::make_shared<Fork>();
  fork->child = scheduler_.spawn([this, fork, &call] {
    call.run([fork](const std::string& message) { fork->messages.push_back(message); });
    scheduler_.wait_until([fork] { return fork->accepted || fork->closed; });
    if (!fork->accepted) call.clean_up();
  });
  forked_(fork->child);
  return std::make_unique<FiberCall>(scheduler_, fork, left_);
}

template <typename T>
class FiberLoop::Listed final : public Registration {
 public:
  Listed(std::list<T>& list, T entry, std::shared_ptr<const bool> open)
      : list_(list), place_(list.insert(list.end(), std::move(entry))), open_(std::move(open)) {}
  ~Listed() override {
    if (*open_) list_.erase(place_);
  }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;

 private:
  std::list<T>& list_;
  typename std::list<T>::iterator place_;
  std::shared_ptr<const bool> open_;
};

Loop::Handle FiberLoop::when_readable(int fd, Callback callback) {
  return std::make_unique<Listed<Watch>>(watches_, Watch{fd, std::move(callback)}, open_);
}

Loop::Handle FiberLoop::after(milliseconds time, Callback callback) {
  timers_changed_ = true;
  return std::make_unique<Listed<Timer>>(
      timers_, Timer{scheduler_.now() + time, std::move(callback)}, open_);
}

void FiberLoop::run_async(WorkerPool, Callback work, Callback done) {
  started_(scheduler_.spawn(
      [finished = finished_, work = std::move(work), done = std::move(done), this]() mutable {
        scheduler_.yield();
        work();
        work = nullptr;
        finished->push_back(std::move(done));
      }));
}

bool FiberLoop::readable(Watch& watch) {
  if (auto changes = changes_(); watch.polled_at != changes) {
    pollfd ready{watch.fd, POLLIN, 0};
    watch.readable = ::poll(&ready, 1, 0) == 1 && (ready.revents & POLLNVAL) == 0;
    watch.polled_at = changes;
  }
  if (!watch.readable) watch.told = false;
  return watch.readable && !watch.told;
}

bool FiberLoop::ready() {
  if (timers_changed_ || !finished_->empty()) return true;
  bool due = std::any_of(timers_.begin(), timers_.end(),
                         [this](const Timer& timer) { return timer.due <= scheduler_.now(); });
  return due || std::any_of(watches_.begin(), watches_.end(),
                            [this](Watch& watch) { return readable(watch); });
}

std::optional<Loop::Callback> FiberLoop::take() {
  if (!finished_->empty()) {
    auto callback = std::move(finished_->front());
    finished_->pop_front();
    return callback;
  }
  for (Watch& watch : watches_) {
    if (!readable(watch)) continue;
    watch.told = true;
    return watch.callback;
  }
  for (Timer& timer : timers_) {
    if (timer.due > scheduler_.now()) continue;
    timer.due = milliseconds::max();
    return timer.callback;
  }
  return std::nullopt;
}

void FiberLoop::run_one() {
  if (auto callback = take()) (*callback)();
}

void FiberLoop::run() {
  for (;;) {
    timers_changed_ = false;
    std::optional<milliseconds> next;
    for (const Timer& timer : timers_) {
      if (timer.due != milliseconds::max()) next = std::min(next.value_or(timer.due), timer.due);
    }
    if (next) next = std::max(*next - scheduler_.now(), milliseconds(0));
    scheduler_.wait_until([this] { return ready(); }, next);
    run_one();
  }
}

}  // namespace guard::simulation
