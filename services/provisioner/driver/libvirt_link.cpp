// libvirt has one event loop per process; its thread is never joined. Each attempt to connect has a
// thread, from the opening to the close, because any of these calls may block for as long as
// libvirtd hangs: an attempt that does not finish in time is abandoned, and another is started.
//
// Events and the link itself have a connection each, and each caller has one while it calls. Two
// faults of libvirt 9.0 require this, and both are met when libvirtd stalls for longer than the
// keep-alive:
// - The client crashes if two threads are in calls on a connection that is closed (CVE-2024-4418).
// - libvirtd frees the event callbacks of a client twice, and crashes, if the client disconnects
//   while one of its calls is unanswered. So the connection with callbacks makes no calls that can
//   be pending then, and those with calls have no callbacks.
#include "services/provisioner/driver/libvirt_link.hpp"

#include <libvirt/virterror.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "core/assert.hpp"
#include "core/log/log.hpp"
#include "services/provisioner/driver/libvirt_domains.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

// A hang is noticed within 4 s, in calls and between them.
constexpr int keepalive_interval_s = 1;
constexpr unsigned keepalive_probes = 3;
constexpr milliseconds keepalive_timeout{5'000};
constexpr milliseconds retry_delay{100};        // after an attempt that failed
constexpr milliseconds attempt_timeout{3'000};  // until an attempt is abandoned; doubled each time
constexpr milliseconds attempt_timeout_max{24'000};
constexpr unsigned attempts_max = 4;  // abandoned ones included
constexpr milliseconds use_timeout{1'000};
constexpr milliseconds stop_timeout{1'000};
constexpr std::size_t connections_max = 64;  // for calls; libvirtd's own limit is 5,000 clients
constexpr std::size_t early_events_max = 10'000;  // between registering for events and listing

void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// The loop runs keep-alives and event callbacks, so no callback may block it.
void start_event_loop() {
  static std::once_flag once;
  std::call_once(once, [] {
    virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});  // else libvirt prints every error
    virEventRegisterDefaultImpl();
    std::thread([] {
      block_signals();
      while (virEventRunDefaultImpl() == 0) {
      }
    }).detach();
  });
}

std::string close_reason(int reason) {
  switch (reason) {
    case VIR_CONNECT_CLOSE_REASON_KEEPALIVE:
      return "libvirtd does not answer";
    case VIR_CONNECT_CLOSE_REASON_EOF:
      return "libvirtd exited";
    default:
      return "the connection to libvirtd broke";
  }
}

core::Error unavailable(std::string detail) {
  return {.code = ErrorCode::unavailable, .detail = std::move(detail)};
}

}  // namespace

struct LibvirtLink::Shared {
  std::string uri;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<LibvirtConnection> idle{};  // connections to lend; empty while the link is down
  unsigned callers_waiting = 0;           // for a connection
  core::Error fault;               // of the last failure; no code until an attempt has failed
  std::uint64_t last_attempt = 0;  // attempts are numbered from 1
  std::uint64_t opening = 0;       // the attempt that is waited for; 0 = none
  std::uint64_t holder = 0;        // the attempt that lends connections; 0 = none
  bool is_up = false;              // the holder's connections work
  bool is_exclusive = true;        // false: any number of callers may use one connection
  unsigned attempt_count = 0;      // threads that have not ended
  Clock::time_point next_attempt = Clock::now();  // or, while one is opening, when to abandon it
  milliseconds timeout = attempt_timeout;
  bool is_stopping = false;
  bool is_supervised = true;

  // Held while a handler runs, so that none runs once the link is gone.
  std::mutex handlers_mutex;
  LibvirtLinkHandlers handlers;
};

namespace {

using Shared = LibvirtLink::Shared;

/// A set of connections, from their opening to their close. Each callback of libvirt owns a share
/// of it, because libvirt may call one after virConnectClose() has returned.
struct Attempt {
  enum class Phase : std::uint8_t { opening, held, over };

  std::shared_ptr<Shared> shared;
  std::uint64_t id = 0;
  bool is_lost = false;          // guarded by shared->mutex
  std::size_t closed_count = 0;  // connections closed by libvirt; guarded by shared->mutex
  bool is_adding = false;        // a connection to lend; guarded by shared->mutex
  // All that are lent or idle; guarded by shared->mutex. Their close callbacks own a share of this.
  std::vector<LibvirtConnection> lendable{};
  Phase phase = Phase::opening;     // guarded by shared->handlers_mutex
  std::vector<DomainSeen> early{};  // events while opening; guarded by shared->handlers_mutex
};

/// The mutex is held.
void lose(Attempt& attempt, core::Error fault) {
  Shared& shared = *attempt.shared;
  attempt.is_lost = true;
  if (shared.holder == attempt.id) {
    shared.fault = std::move(fault);
    shared.is_up = false;
    shared.idle.clear();  // never the last references: the attempt's thread has one of each
  }
  shared.changed.notify_all();
}

Attempt& attempt_of(void* opaque) {
  return **static_cast<std::shared_ptr<Attempt>*>(opaque);
}

void release(void* opaque) {
  delete static_cast<std::shared_ptr<Attempt>*>(opaque);
}

void on_close(virConnectPtr, int reason, void* opaque) {
  Attempt& attempt = attempt_of(opaque);
  const std::scoped_lock lock{attempt.shared->mutex};
  ++attempt.closed_count;
  lose(attempt, unavailable(close_reason(reason)));
}

int on_lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque) {
  DomainSeen seen = seen_in_event(event, detail);
  if (seen.state == DomainState::unknown) return 0;
  seen.name = virDomainGetName(domain);
  seen.uuid = uuid_of(domain);
  Attempt& attempt = attempt_of(opaque);
  bool is_full = false;
  {
    const std::scoped_lock lock{attempt.shared->handlers_mutex};
    const auto& handlers = attempt.shared->handlers;
    is_full = attempt.early.size() >= early_events_max;
    if (attempt.phase == Attempt::Phase::opening && !is_full)
      attempt.early.push_back(std::move(seen));
    else if (attempt.phase == Attempt::Phase::held && handlers.changed)
      handlers.changed(std::move(seen));
  }
  if (is_full) {
    const std::scoped_lock lock{attempt.shared->mutex};
    lose(attempt, unavailable("too many events while connecting to libvirtd"));
  }
  return 0;
}

struct Connections {
  LibvirtConnection events;
  LibvirtConnection own;  // for the link's own calls
  bool has_daemon = true;
};

LibvirtConnection open_one(const std::string& uri) {
  virConnect* open = virConnectOpen(uri.c_str());
  if (!open) return {};
  return {open, [](virConnect* last) { virConnectClose(last); }};
}

/// Closes the connection if libvirtd hangs, and learns when it is closed. False: neither exists
/// without a daemon (test, embed); such a connection is never lost.
bool watch(const std::shared_ptr<Attempt>& attempt, virConnect* connection) {
  if (virConnectSetKeepAlive(connection, keepalive_interval_s, keepalive_probes) != 0) return false;
  auto* const opaque = new std::shared_ptr<Attempt>(attempt);
  if (virConnectRegisterCloseCallback(connection, on_close, opaque, release) < 0) release(opaque);
  return true;
}

LibvirtConnection open_watched(const std::shared_ptr<Attempt>& attempt) {
  auto added = open_one(attempt->shared->uri);
  if (added) watch(attempt, added.get());
  return added;
}

core::Result<Connections> open_connections(const std::shared_ptr<Attempt>& attempt) {
  Connections open;
  open.events = open_one(attempt->shared->uri);
  if (!open.events) return std::unexpected(unavailable(libvirt_error().detail));
  open.has_daemon = watch(attempt, open.events.get());
  // test:///FILE gives each connection a host of its own.
  open.own = open.has_daemon ? open_watched(attempt) : open.events;
  if (!open.own) return std::unexpected(unavailable(libvirt_error().detail));
  return open;
}

/// Begins to lend connections, unless another attempt does or the link stops.
bool hold_link(Attempt& attempt, const Connections& open, const std::vector<DomainSeen>& domains) {
  Shared& shared = *attempt.shared;
  const std::scoped_lock handlers_lock{shared.handlers_mutex};
  {
    const std::scoped_lock lock{shared.mutex};
    if (shared.is_stopping || shared.holder != 0 || attempt.is_lost) return false;
    shared.holder = attempt.id;
    shared.is_exclusive = open.has_daemon;
    shared.opening = 0;
    shared.timeout = attempt_timeout;
  }
  if (shared.handlers.opened) shared.handlers.opened(domains);
  for (auto& seen : attempt.early)
    if (shared.handlers.changed) shared.handlers.changed(std::move(seen));
  attempt.early.clear();
  attempt.phase = Attempt::Phase::held;
  {
    const std::scoped_lock lock{shared.mutex};
    if (!attempt.is_lost) {
      if (!open.has_daemon) shared.idle = attempt.lendable = {open.own};
      shared.is_up = true;
    }
    shared.changed.notify_all();
  }
  if (shared.handlers.linked) shared.handlers.linked({});
  return true;
}

core::Error fault_of(Shared& shared) {
  const std::scoped_lock lock{shared.mutex};
  return shared.fault;
}

void add_connection(const std::shared_ptr<Attempt>& attempt) {
  block_signals();
  const auto added = open_watched(attempt);
  auto fault = added ? core::Error{} : unavailable(libvirt_error().detail);
  Shared& shared = *attempt->shared;
  const std::scoped_lock lock{shared.mutex};
  attempt->is_adding = false;
  if (!added) return lose(*attempt, std::move(fault));
  if (!shared.is_up || shared.holder != attempt->id) return;
  attempt->lendable.push_back(added);
  shared.idle.push_back(added);
  shared.changed.notify_all();
}

/// Opens connections as callers need them, on another thread because libvirtd may hang; returns
/// when one is lost or the link stops.
void serve_callers(const std::shared_ptr<Attempt>& attempt) {
  Shared& shared = *attempt->shared;
  const auto is_over = [&] { return attempt->is_lost || shared.is_stopping; };
  const auto is_wanted = [&] {
    return shared.is_exclusive && !attempt->is_adding &&
           shared.callers_waiting > shared.idle.size() &&
           attempt->lendable.size() < connections_max;
  };
  std::unique_lock lock{shared.mutex};
  NUCLEUS_ASSERT(shared.holder == attempt->id);
  while (!is_over()) {
    if (!is_wanted()) {
      shared.changed.wait(lock);
      continue;
    }
    try {
      std::thread([attempt] { add_connection(attempt); }).detach();
      attempt->is_adding = true;
    } catch (const std::system_error&) {
      lose(*attempt, unavailable("no thread is left to connect to libvirtd"));
    }
  }
  shared.is_up = false;
  shared.idle.clear();
}

/// Returns when the connections are lost or the link stops.
void hold_until_lost(const std::shared_ptr<Attempt>& held) {
  serve_callers(held);
  Attempt& attempt = *held;
  Shared& shared = *attempt.shared;
  {
    const std::scoped_lock lock{shared.handlers_mutex};
    attempt.phase = Attempt::Phase::over;
    if (shared.handlers.linked) shared.handlers.linked(std::unexpected(fault_of(shared)));
  }
  // Only now may another attempt report the link as up.
  const std::scoped_lock lock{shared.mutex};
  shared.holder = 0;
  shared.next_attempt = Clock::now();
  shared.changed.notify_all();
}

void fail(Attempt& attempt, core::Error fault) {
  Shared& shared = *attempt.shared;
  const std::scoped_lock lock{shared.mutex};
  if (shared.opening != attempt.id) return;
  shared.opening = 0;
  shared.next_attempt = Clock::now() + retry_delay;
  if (shared.holder == 0) shared.fault = std::move(fault);
  shared.changed.notify_all();
}

/// Whether libvirtd answers a call. Not asked if a connection is lost.
bool answers(const Attempt& attempt, virConnect* calls) {
  {
    const std::scoped_lock lock{attempt.shared->mutex};
    if (attempt.is_lost) return false;
  }
  unsigned long version = 0;
  return virConnectGetLibVersion(calls, &version) == 0;
}

/// Waits until the keep-alive has closed all connections, or has had the time to.
void await_close(Attempt& attempt) {
  std::unique_lock lock{attempt.shared->mutex};
  attempt.shared->changed.wait_for(lock, keepalive_timeout, [&] {
    return attempt.closed_count >= attempt.lendable.size() + 2;  // and those for events and itself
  });
}

std::vector<LibvirtConnection> take_lendable(Attempt& attempt) {
  const std::scoped_lock lock{attempt.shared->mutex};
  return std::exchange(attempt.lendable, {});
}

void connect(const std::shared_ptr<Attempt>& attempt) {
  auto open = open_connections(attempt);
  if (!open) return fail(*attempt, open.error());
  virConnect* const for_events = open->events.get();
  auto* const opaque = new std::shared_ptr<Attempt>(attempt);
  const int events =
      virConnectDomainEventRegisterAny(for_events, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                       VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), opaque, release);
  if (events < 0) {
    release(opaque);
    return fail(*attempt, unavailable(libvirt_error().detail));
  }
  const auto domains = observe_domains(open->own.get());
  const bool is_alive =
      virConnectIsAlive(for_events) == 1 && virConnectIsAlive(open->own.get()) == 1;
  if (!domains)
    fail(*attempt, unavailable(domains.error().detail));
  else if (!is_alive || !hold_link(*attempt, *open, *domains))
    fail(*attempt, unavailable("the connection to libvirtd broke"));
  else
    hold_until_lost(attempt);
  // No call may be pending on the connection with callbacks while it is closed.
  if (open->has_daemon && !answers(*attempt, open->own.get())) await_close(*attempt);
  virConnectDomainEventDeregisterAny(for_events, events);
  const auto unused = take_lendable(*attempt);
}

void run_attempt(const std::shared_ptr<Shared>& shared, std::uint64_t id) {
  block_signals();
  connect(std::make_shared<Attempt>(Attempt{.shared = shared, .id = id}));
  const std::scoped_lock lock{shared->mutex};
  NUCLEUS_ASSERT(shared->attempt_count > 0 && shared->holder != id);
  --shared->attempt_count;
  shared->changed.notify_all();
}

/// The mutex is held.
void begin_attempt(const std::shared_ptr<Shared>& shared) {
  const auto now = Clock::now();
  if (shared->opening != 0) {
    shared->fault = unavailable("libvirtd does not answer");
    core::log::warning("libvirt_attempt_abandoned", {{"attempts", shared->attempt_count},
                                                     {"timeout_ms", shared->timeout.count()}});
    shared->timeout = std::min(shared->timeout * 2, attempt_timeout_max);
  }
  const std::uint64_t id = ++shared->last_attempt;
  try {
    std::thread([shared, id] { run_attempt(shared, id); }).detach();
    ++shared->attempt_count;
    shared->opening = id;
    shared->next_attempt = now + shared->timeout;
  } catch (const std::system_error&) {  // no thread is left
    shared->fault = unavailable("no thread is left to connect to libvirtd");
    shared->opening = 0;
    shared->next_attempt = now + attempt_timeout;
  }
  shared->changed.notify_all();
}

/// Begins an attempt whenever the link is down and none is under way, or the one under way hangs.
void supervise(const std::shared_ptr<Shared>& shared) {
  block_signals();
  std::unique_lock lock{shared->mutex};
  while (!shared->is_stopping) {
    const bool may_begin = shared->holder == 0 && shared->attempt_count < attempts_max;
    if (!may_begin)
      shared->changed.wait(lock);
    else if (Clock::now() < shared->next_attempt)
      shared->changed.wait_until(lock, shared->next_attempt);
    else
      begin_attempt(shared);
  }
  shared->is_supervised = false;
  shared->changed.notify_all();
}

}  // namespace

LibvirtLink::LibvirtLink(std::string uri, LibvirtLinkHandlers handlers)
    : shared_{std::make_shared<Shared>()} {
  start_event_loop();
  shared_->uri = std::move(uri);
  shared_->handlers = std::move(handlers);
  std::thread([shared = shared_] { supervise(shared); }).detach();
}

LibvirtLink::~LibvirtLink() {
  {
    const std::scoped_lock lock{shared_->handlers_mutex};
    shared_->handlers = {};
  }
  std::unique_lock lock{shared_->mutex};
  shared_->is_stopping = true;
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, stop_timeout,
                            [&] { return !shared_->is_supervised && shared_->attempt_count == 0; });
}

core::Result<LibvirtConnection> LibvirtLink::use() {
  std::unique_lock lock{shared_->mutex};
  const auto is_down = [&] { return !shared_->is_up && shared_->fault.code != ErrorCode::unknown; };
  ++shared_->callers_waiting;
  if (shared_->is_up && shared_->idle.empty()) shared_->changed.notify_all();  // one more is needed
  shared_->changed.wait_for(lock, use_timeout, [&] { return !shared_->idle.empty() || is_down(); });
  --shared_->callers_waiting;
  if (is_down()) return std::unexpected(shared_->fault);
  if (shared_->idle.empty()) return std::unexpected(unavailable("libvirtd does not answer"));
  if (!shared_->is_exclusive) return shared_->idle.back();
  auto lent = std::move(shared_->idle.back());
  shared_->idle.pop_back();
  virConnect* const connection = lent.get();
  return LibvirtConnection{connection,
                           [shared = shared_, holder = shared_->holder, lent](virConnect*) mutable {
                             const std::scoped_lock returning{shared->mutex};
                             if (shared->is_up && shared->holder == holder)
                               shared->idle.push_back(std::move(lent));
                             shared->changed.notify_all();
                           }};
}

}  // namespace nucleus::provisioner
