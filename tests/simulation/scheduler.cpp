#include "tests/simulation/scheduler.hpp"

#include <algorithm>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <stdexcept>
#include <ucontext.h>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace guard::simulation {

/// The exceptions that a thread handles now (Itanium C++ ABI, 2.2.2). Each fiber has its own,
/// because a destructor may wait while an exception unwinds the stack.
struct ExceptionGlobals {
  void* caught = nullptr;
  unsigned uncaught = 0;
};

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t stack_size = std::size_t{1} << 20;
#else
constexpr std::size_t stack_size = std::size_t{1} << 18;
#endif

void exchange(ExceptionGlobals& with) {
  ExceptionGlobals now;
  void* globals = abi::__cxa_get_globals();
  std::memcpy(&now, globals, sizeof(now));
  std::memcpy(globals, &with, sizeof(with));
  with = now;
}

std::vector<std::unique_ptr<char[]>> free_stacks;
Scheduler* active = nullptr;

std::unique_ptr<char[]> take_stack() {
  if (free_stacks.empty()) return std::make_unique<char[]>(stack_size);
  auto stack = std::move(free_stacks.back());
  free_stacks.pop_back();
  return stack;
}

}  // namespace

struct Scheduler::Fiber {
  Id id = 0;
  std::function<void()> body;
  ucontext_t context = {}, caller = {};
  std::unique_ptr<char[]> stack;
  ExceptionGlobals exceptions;
  Ready ready;
  std::optional<milliseconds> until;
  milliseconds stopped_until{0};
  bool interruptible = true, killed = false, ended = false;
  std::exception_ptr error;
#ifdef __SANITIZE_ADDRESS__
  void *fake_stack = nullptr, *callers_fake_stack = nullptr;
  const void* callers_bottom = nullptr;
  std::size_t callers_size = 0;
#endif
};

Scheduler::Scheduler(std::uint64_t seed) : random_(seed) {}

Scheduler::~Scheduler() {
  end();
}

void Scheduler::end() {
  ending_ = true;
  for (auto& fiber : fibers_)
    fiber->killed = true;
  while (!fibers_.empty() && step()) {
  }
}

Scheduler::Id Scheduler::spawn(std::function<void()> body) {
  auto fiber = std::make_unique<Fiber>();
  fiber->id = ++last_;
  fiber->body = std::move(body);
  fiber->stack = take_stack();
  ::getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack.get();
  fiber->context.uc_stack.ss_size = stack_size;
  fiber->context.uc_link = nullptr;
  ::makecontext(&fiber->context, &Scheduler::enter, 0);
  fibers_.push_back(std::move(fiber));
  return last_;
}

void Scheduler::kill(Id id) {
  for (auto& fiber : fibers_) {
    if (fiber->id == id) fiber->killed = true;
  }
}

void Scheduler::stop(Id id, milliseconds time) {
  for (auto& fiber : fibers_) {
    if (fiber->id == id) fiber->stopped_until = now_ + time;
  }
}

bool Scheduler::ended(Id id) const {
  return std::none_of(fibers_.begin(), fibers_.end(),
                      [id](const auto& fiber) { return fiber->id == id && !fiber->ended; });
}

Scheduler::Id Scheduler::current() const {
  return current_ == nullptr ? 0 : current_->id;
}

std::size_t Scheduler::choose(std::size_t count) {
  return static_cast<std::size_t>(random_() % count);
}

void Scheduler::enter() {
  Fiber& self = *active->current_;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, &self.callers_bottom, &self.callers_size);
#endif
  try {
    if (!self.killed) self.body();
  } catch (const Killed&) {
  } catch (...) {
    self.error = std::current_exception();
  }
  self.ended = true;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(nullptr, self.callers_bottom, self.callers_size);
#endif
  ::setcontext(&self.caller);
}

void Scheduler::run(Fiber& fiber) {
  current_ = &fiber;
  active = this;
  exchange(fiber.exceptions);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&fiber.callers_fake_stack, fiber.stack.get(), stack_size);
#endif
  ::swapcontext(&fiber.caller, &fiber.context);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(fiber.callers_fake_stack, nullptr, nullptr);
#endif
  exchange(fiber.exceptions);
  current_ = nullptr;
  if (!fiber.ended) return;
  auto error = fiber.error;
  fiber.body = nullptr;
  free_stacks.push_back(std::move(fiber.stack));
  fibers_.remove_if([&](const auto& each) { return each.get() == &fiber; });
  if (error) std::rethrow_exception(error);
}

bool Scheduler::wait(const Ready& ready, std::optional<milliseconds> patience,
                     Interruptible interruptible) {
  Fiber& self = *current_;
  self.ready = ready;
  self.until = patience ? std::optional(now_ + *patience) : std::nullopt;
  self.interruptible = interruptible == Interruptible::yes;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&self.fake_stack, self.callers_bottom, self.callers_size);
#endif
  ::swapcontext(&self.context, &self.caller);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(self.fake_stack, &self.callers_bottom, &self.callers_size);
#endif
  self.ready = nullptr;
  return !self.until || now_ < *self.until;
}

bool Scheduler::wait_until(const Ready& ready, std::optional<milliseconds> patience) {
  if (current_->killed) throw Killed{};
  bool in_time = wait(ready, patience, Interruptible::yes);
  if (current_->killed) throw Killed{};
  return in_time || ready();
}

void Scheduler::wait_uninterruptibly(const Ready& ready) {
  if (current_->killed) throw Killed{};
  wait(ready, std::nullopt, Interruptible::no);
  if (current_->killed) throw Killed{};
}

bool Scheduler::wait_in_destructor(const Ready& ready, std::optional<milliseconds> patience) {
  bool in_time = wait(ready, patience, Interruptible::no);
  return in_time || ready();
}

void Scheduler::yield() {
  wait_until([] { return true; });
}

void Scheduler::sleep(milliseconds time) {
  wait_until([] { return false; }, time);
}

std::vector<Scheduler::Fiber*> Scheduler::runnable() {
  std::vector<Fiber*> found;
  for (auto& fiber : fibers_) {
    if (fiber->stopped_until > now_ && !ending_) continue;
    bool due = fiber->until && *fiber->until <= now_;
    bool killed = fiber->killed && (fiber->interruptible || ending_);
    if (due || killed || !fiber->ready || fiber->ready()) found.push_back(fiber.get());
  }
  return found;
}

bool Scheduler::step() {
  constexpr std::size_t slow = 24;  // one time in so many, time passes although fibers could run
  auto found = runnable();
  if (found.empty() || choose(slow) == 0) {
    std::optional<milliseconds> next;
    auto consider = [&](milliseconds time) {
      if (time > now_) next = std::min(next.value_or(time), time);
    };
    for (auto& fiber : fibers_) {
      if (fiber->until) consider(*fiber->until);
      consider(fiber->stopped_until);
    }
    constexpr milliseconds longest_delay{1000};
    if (next && (found.empty() || *next - now_ <= longest_delay)) now_ = *next;
    if (!next && found.empty()) return false;
    found = runnable();
  }
  if (found.empty()) return true;
  run(*found[choose(found.size())]);
  return true;
}

}  // namespace guard::simulation
