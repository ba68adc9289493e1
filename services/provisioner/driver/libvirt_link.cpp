// One event loop thread for the process (libvirt has no other), one connector thread per link.
// What the threads and libvirt's callbacks share is counted, for libvirt frees it when it likes.
#include "services/provisioner/driver/libvirt_link.hpp"

#include <libvirt/virterror.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

// A silent libvirtd is given up after one unanswered probe: within 2 s, in calls and between them.
constexpr int keepalive_interval_s = 1;
constexpr unsigned keepalive_probes = 1;
constexpr std::chrono::milliseconds reopen_delay{100};
constexpr std::chrono::milliseconds open_wait{1000};
constexpr std::size_t detail_bytes_max = 160;

void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// libvirt knows one event loop a process; its thread lives as long as the process does.
void start_event_loop() {
  static std::once_flag once;
  std::call_once(once, [] {
    virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});  // else each error is printed as well
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
      return "libvirtd ended";
    default:
      return "the connection to libvirtd broke";
  }
}

DomainSeen stopped(int detail) {
  switch (detail) {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
      return {.state = DomainState::shutoff, .reason = "the guest powered off"};
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
      return {.state = DomainState::shutoff, .reason = "destroyed"};
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
      return {.state = DomainState::crashed, .reason = "the guest crashed"};
    case VIR_DOMAIN_EVENT_STOPPED_FAILED:
      return {.state = DomainState::crashed, .reason = "its hypervisor process ended unexpectedly"};
    default:
      return {.state = DomainState::shutoff, .reason = "stopped"};
  }
}

/// What a lifecycle event says, or `unknown` where it changes nothing.
DomainSeen seen_in_event(int event, int detail) {
  switch (event) {
    case VIR_DOMAIN_EVENT_STARTED:
    case VIR_DOMAIN_EVENT_RESUMED:
      return {.state = DomainState::running};
    case VIR_DOMAIN_EVENT_SUSPENDED:
      return {.state = DomainState::paused,
              .reason = detail == VIR_DOMAIN_EVENT_SUSPENDED_IOERROR ? "disk error" : "suspended"};
    case VIR_DOMAIN_EVENT_PMSUSPENDED:
      return {.state = DomainState::paused, .reason = "the guest sleeps"};
    case VIR_DOMAIN_EVENT_SHUTDOWN:
      return {.state = DomainState::stopping};
    case VIR_DOMAIN_EVENT_STOPPED:
      return stopped(detail);
    case VIR_DOMAIN_EVENT_CRASHED:
      return {.state = DomainState::crashed, .reason = "the guest panicked"};
    default:
      return {};
  }
}

}  // namespace

core::Error libvirt_error() {
  const virError* error = virGetLastError();
  if (!error) return {.code = ErrorCode::internal, .detail = "libvirt failed without an error"};
  std::string detail = error->message ? error->message : "libvirt failed";
  if (const auto line = detail.find('\n'); line != std::string::npos) detail.resize(line);
  if (detail.size() > detail_bytes_max) detail.resize(detail_bytes_max);
  ErrorCode code = ErrorCode::internal;
  switch (error->code) {
    case VIR_ERR_NO_DOMAIN:
      code = ErrorCode::not_found;
      break;
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_NO_SUPPORT:
      code = ErrorCode::wrong_state;
      break;
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_AGENT_UNRESPONSIVE:
    case VIR_ERR_AGENT_UNSYNCED:
      code = ErrorCode::unavailable;
      break;
    default:
      break;
  }
  if (error->domain == VIR_FROM_RPC) code = ErrorCode::unavailable;
  return {.code = code, .detail = detail};
}

std::string take_libvirt_text(char* text) {
  if (!text) return {};
  std::string copy = text;
  free(text);
  return copy;
}

struct LibvirtLink::Shared {
  std::string uri;
  std::mutex mutex;
  std::condition_variable changed;
  LibvirtConnection connection;  // empty = not open
  core::Error why;               // of the last failure to open; empty code while the first try runs
  bool is_closed = false;        // the connection, by libvirt
  bool is_stopping = false;
  bool is_finished = false;

  // Held while a handler runs, so that none runs once the link is gone.
  std::mutex handlers_mutex;
  LibvirtLinkHandlers handlers;

  template <class Call>
  void tell(Call&& call) {
    const std::scoped_lock lock{handlers_mutex};
    call(handlers);
  }
  void tell_link(const core::Result<void>& result) {
    tell([&](LibvirtLinkHandlers& to) {
      if (to.linked) to.linked(result);
    });
  }
};

namespace {

using Shared = LibvirtLink::Shared;

void* counted(const std::shared_ptr<Shared>& shared) {
  return new std::shared_ptr<Shared>(shared);
}

Shared& shared_of(void* opaque) {
  return **static_cast<std::shared_ptr<Shared>*>(opaque);
}

void release(void* opaque) {
  delete static_cast<std::shared_ptr<Shared>*>(opaque);
}

void on_close(virConnectPtr, int reason, void* opaque) {
  Shared& shared = shared_of(opaque);
  const std::scoped_lock lock{shared.mutex};
  shared.why = {.code = ErrorCode::unavailable, .detail = close_reason(reason)};
  shared.is_closed = true;
  shared.changed.notify_all();
}

int on_lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque) {
  DomainSeen seen = seen_in_event(event, detail);
  if (seen.state == DomainState::unknown) return 0;
  seen.name = virDomainGetName(domain);
  char uuid[VIR_UUID_STRING_BUFLEN] = {};
  virDomainGetUUIDString(domain, uuid);
  seen.uuid = uuid;
  shared_of(opaque).tell([&](LibvirtLinkHandlers& to) {
    if (to.changed) to.changed(std::move(seen));
  });
  return 0;
}

void pause_before_reopening(Shared& shared) {
  std::unique_lock lock{shared.mutex};
  shared.changed.wait_for(lock, reopen_delay, [&] { return shared.is_stopping; });
}

/// One try; waits a little after a failure. May block for as long as a stopped libvirtd holds the
/// socket: nobody waits for this thread.
LibvirtConnection open_once(Shared& shared) {
  if (virConnect* open = virConnectOpen(shared.uri.c_str()))
    return {open, [](virConnect* connection) { virConnectClose(connection); }};
  const auto error = libvirt_error();
  {
    const std::scoped_lock lock{shared.mutex};
    shared.why = {.code = ErrorCode::unavailable, .detail = error.detail};
    shared.changed.notify_all();
  }
  pause_before_reopening(shared);
  return {};
}

/// Lends the connection to callers until it is lost or the link stops.
void lend(Shared& shared, const LibvirtConnection& connection) {
  {
    const std::scoped_lock lock{shared.mutex};
    shared.connection = connection;
    shared.changed.notify_all();
  }
  shared.tell_link({});
  core::Result<void> lost;
  {
    std::unique_lock lock{shared.mutex};
    shared.changed.wait(lock, [&] { return shared.is_closed || shared.is_stopping; });
    shared.connection.reset();
    lost = std::unexpected(shared.why);
  }
  shared.tell_link(lost);
}

/// Lends a connection whose end is listened for, and tells what happens to domains meanwhile.
void serve(const std::shared_ptr<Shared>& shared, const LibvirtConnection& connection) {
  virConnect* open = connection.get();
  shared->tell([&](LibvirtLinkHandlers& to) {
    if (to.opened) to.opened(open);
  });
  void* const for_events = counted(shared);
  const int events = virConnectDomainEventRegisterAny(open, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                      VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle),
                                                      for_events, release);
  if (events < 0) release(for_events);
  lend(*shared, connection);
  if (events >= 0) virConnectDomainEventDeregisterAny(open, events);
}

void connect(const std::shared_ptr<Shared>& shared) {
  const auto connection = open_once(*shared);
  if (!connection) return;
  virConnect* open = connection.get();
  {
    const std::scoped_lock lock{shared->mutex};
    shared->is_closed = false;
  }
  // Drivers without a daemon (test, embed) know neither and cannot be lost.
  virConnectSetKeepAlive(open, keepalive_interval_s, keepalive_probes);
  // Ours to free: such a driver takes the close callback without keeping it. Unregistering waits
  // for a callback that runs, so it may not outlive this function.
  std::shared_ptr<Shared> for_close = shared;
  virConnectRegisterCloseCallback(open, on_close, &for_close, nullptr);
  if (virConnectIsAlive(open) == 1)
    serve(shared, connection);
  else  // lost before anybody listened: nobody would tell
    pause_before_reopening(*shared);
  virConnectUnregisterCloseCallback(open, on_close);
}

void run_connector(const std::shared_ptr<Shared>& shared) {
  block_signals();
  const auto is_stopping = [&] {
    const std::scoped_lock lock{shared->mutex};
    return shared->is_stopping;
  };
  while (!is_stopping()) connect(shared);
  const std::scoped_lock lock{shared->mutex};
  shared->is_finished = true;
  shared->changed.notify_all();
}

}  // namespace

LibvirtLink::LibvirtLink(std::string uri, LibvirtLinkHandlers handlers)
    : shared_{std::make_shared<Shared>()} {
  start_event_loop();
  shared_->uri = std::move(uri);
  shared_->handlers = std::move(handlers);
  std::thread([shared = shared_] { run_connector(shared); }).detach();
}

LibvirtLink::~LibvirtLink() {
  shared_->tell([](LibvirtLinkHandlers& to) { to = {}; });
  std::unique_lock lock{shared_->mutex};
  shared_->is_stopping = true;
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, open_wait, [&] { return shared_->is_finished; });
}

core::Result<LibvirtConnection> LibvirtLink::use() {
  std::unique_lock lock{shared_->mutex};
  const auto is_settled = [&] {
    return shared_->connection || shared_->why.code != ErrorCode::unknown;
  };
  shared_->changed.wait_for(lock, open_wait, is_settled);
  if (shared_->connection && !shared_->is_closed) return shared_->connection;
  if (shared_->why.code != ErrorCode::unknown) return std::unexpected(shared_->why);
  return core::refuse(ErrorCode::unavailable, "libvirtd does not answer");
}

}  // namespace nucleus::provisioner
