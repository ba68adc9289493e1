// libvirt has one event loop per process; its thread is never joined. Each attempt to connect has a
// thread, from the opening to the close, because any of these calls may block for as long as
// libvirtd hangs: an attempt that does not finish in time is abandoned, and another is begun.
//
// Events and calls have a connection each. libvirtd (seen with 9.0) frees the event callbacks of a
// client twice, and crashes, if the client disconnects while one of its calls is unanswered: as
// ours does when libvirtd stalls for longer than the keep-alive. So the connection with callbacks
// makes no calls that can be pending then, and the one with calls has no callbacks.
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
  LibvirtConnection connection;    // lent to callers; empty while the link is down
  core::Error fault;               // of the last failure; no code until an attempt has failed
  std::uint64_t last_attempt = 0;  // attempts are numbered from 1
  std::uint64_t opening = 0;       // the attempt that is waited for; 0 = none
  std::uint64_t holder = 0;        // the attempt whose connection is lent; 0 = none
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

/// A pair of connections, from their opening to their close. Each callback of libvirt owns a share
/// of it, because libvirt may call one after virConnectClose() has returned.
struct Attempt {
  enum class Phase : std::uint8_t { opening, held, over };

  std::shared_ptr<Shared> shared;
  std::uint64_t id = 0;
  unsigned closed_count = 0;        // connections closed by libvirt; guarded by shared->mutex
  Phase phase = Phase::opening;     // guarded by shared->handlers_mutex
  std::vector<DomainSeen> early{};  // events while opening; guarded by shared->handlers_mutex
};

void close_attempt(Attempt& attempt, core::Error fault) {
  Shared& shared = *attempt.shared;
  const std::scoped_lock lock{shared.mutex};
  ++attempt.closed_count;
  if (shared.holder == attempt.id) {
    shared.fault = std::move(fault);
    shared.connection.reset();  // never the last reference: the attempt's thread has one
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
  close_attempt(attempt_of(opaque), unavailable(close_reason(reason)));
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
  if (is_full) close_attempt(attempt, unavailable("too many events while connecting to libvirtd"));
  return 0;
}

struct Connections {
  LibvirtConnection events;
  LibvirtConnection calls;
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

core::Result<Connections> open_connections(const std::shared_ptr<Attempt>& attempt) {
  const std::string& uri = attempt->shared->uri;
  Connections open;
  open.events = open_one(uri);
  if (!open.events) return std::unexpected(unavailable(libvirt_error().detail));
  open.has_daemon = watch(attempt, open.events.get());
  // test:///FILE gives each connection a host of its own.
  open.calls = open.has_daemon ? open_one(uri) : open.events;
  if (!open.calls) return std::unexpected(unavailable(libvirt_error().detail));
  if (open.has_daemon) watch(attempt, open.calls.get());
  return open;
}

/// Lends the connection for calls, unless another attempt lends one already or the link stops.
bool hold_link(Attempt& attempt, const LibvirtConnection& connection,
               const std::vector<DomainSeen>& domains) {
  Shared& shared = *attempt.shared;
  const std::scoped_lock handlers_lock{shared.handlers_mutex};
  {
    const std::scoped_lock lock{shared.mutex};
    if (shared.is_stopping || shared.holder != 0 || attempt.closed_count > 0) return false;
    shared.holder = attempt.id;
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
    if (attempt.closed_count == 0) shared.connection = connection;
    shared.changed.notify_all();
  }
  if (shared.handlers.linked) shared.handlers.linked({});
  return true;
}

/// Returns when the connection is lost or the link stops.
void await_loss(Attempt& attempt) {
  Shared& shared = *attempt.shared;
  core::Result<void> lost;
  {
    std::unique_lock lock{shared.mutex};
    NUCLEUS_ASSERT(shared.holder == attempt.id);
    shared.changed.wait(lock, [&] { return attempt.closed_count > 0 || shared.is_stopping; });
    shared.connection.reset();
    lost = std::unexpected(shared.fault);
  }
  {
    const std::scoped_lock lock{shared.handlers_mutex};
    attempt.phase = Attempt::Phase::over;
    if (shared.handlers.linked) shared.handlers.linked(lost);
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

/// Whether libvirtd answers a call. Not asked once one connection is closed: another thread may
/// still be in a call on the other one, and libvirt 9.0's client crashes if two threads are in
/// calls on a connection that the keep-alive closes (CVE-2024-4418).
bool answers(const Attempt& attempt, virConnect* calls) {
  {
    const std::scoped_lock lock{attempt.shared->mutex};
    if (attempt.closed_count > 0) return false;
  }
  unsigned long version = 0;
  return virConnectGetLibVersion(calls, &version) == 0;
}

/// Waits until the keep-alive has closed both connections, or has had the time to.
void await_close(Attempt& attempt) {
  std::unique_lock lock{attempt.shared->mutex};
  attempt.shared->changed.wait_for(lock, keepalive_timeout,
                                   [&] { return attempt.closed_count > 1; });
}

void connect(const std::shared_ptr<Attempt>& attempt) {
  const auto open = open_connections(attempt);
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
  const auto domains = observe_domains(open->calls.get());
  const bool is_alive =
      virConnectIsAlive(for_events) == 1 && virConnectIsAlive(open->calls.get()) == 1;
  if (!domains)
    fail(*attempt, unavailable(domains.error().detail));
  else if (!is_alive || !hold_link(*attempt, open->calls, *domains))
    fail(*attempt, unavailable("the connection to libvirtd broke"));
  else
    await_loss(*attempt);
  // No call may be pending on the connection with callbacks while it is closed.
  if (open->has_daemon && !answers(*attempt, open->calls.get())) await_close(*attempt);
  virConnectDomainEventDeregisterAny(for_events, events);
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
  shared_->changed.wait_for(lock, use_timeout, [&] {
    return shared_->connection || shared_->fault.code != ErrorCode::unknown;
  });
  if (shared_->connection) return shared_->connection;
  if (shared_->fault.code != ErrorCode::unknown) return std::unexpected(shared_->fault);
  return std::unexpected(unavailable("libvirtd does not answer"));
}

}  // namespace nucleus::provisioner
