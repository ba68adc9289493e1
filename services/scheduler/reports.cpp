// What provisioners report to the scheduler: their hosts, and changes of domains.
#include <utility>

#include "core/log/log.hpp"
#include "messages/chunks.hpp"
#include "messages/text.hpp"
#include "services/scheduler/plan/domains.hpp"
#include "services/scheduler/plan/hosts.hpp"
#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;

namespace {

std::optional<core::Error> check(const msg::ImageCopy& copy) {
  if (copy.total_bytes > msg::content_bytes_max || copy.copied_bytes > copy.total_bytes)
    return msg::invalid("image_copies", "copied_bytes must be 0 to total_bytes, at most 2^50");
  return msg::check_line("image_copies", copy.reason, msg::host_reason_bytes_max);
}

std::optional<core::Error> check(const msg::ReportHost& report) {
  if (auto broken = msg::check_name("host_id", report.host_id.value)) return broken;
  if (report.process.empty() || report.process.size() > 128)
    return msg::invalid("process", "process must be 1 to 128 bytes");
  for (const auto& [field, text] :
       {std::pair{"boot_id", report.boot_id}, std::pair{"driver", report.driver},
        std::pair{"accelerator", report.accelerator}, std::pair{"log_id", report.log_id},
        std::pair{"release", report.release}, std::pair{"address", report.address},
        std::pair{"machine_id", report.machine_id},
        std::pair{"metrics_address", report.metrics_address}, std::pair{"profile", report.profile}})
    if (auto broken = msg::check_line(field, text, 64)) return broken;
  for (const auto& [field, reason] :
       {std::pair{"reason", report.reason}, std::pair{"profile_reason", report.profile_reason},
        std::pair{"adapters_reason", report.adapters_reason}})
    if (reason.size() > msg::host_reason_bytes_max)
      return msg::invalid(field, std::string(field) + " must be at most 1024 bytes");
  if (auto broken = msg::check(report.isolation)) return broken;
  if (auto broken = msg::check(report.adapters)) return broken;
  if (report.idle_nodes.size() > msg::idle_nodes_max)
    return msg::invalid("idle_nodes", "idle_nodes must have at most 1000 entries");
  for (const auto& node : report.idle_nodes)
    if (node.idle_s < 0 || node.idle_s > msg::unix_s_max)
      return msg::invalid("idle_nodes", "idle_s must be 0 to 253402300799");
  if (report.image_copies.size() > msg::image_copies_max)
    return msg::invalid("image_copies", "image_copies must have at most 1000 entries");
  for (const auto& copy : report.image_copies)
    if (auto broken = check(copy)) return broken;
  if (report.cpus < 1 || report.cpus > 4096) return msg::invalid("cpus", "cpus must be 1 to 4096");
  if (report.memory_mb > msg::host_memory_mb_max)
    return msg::invalid("memory_mb", "memory_mb must be at most 2^30");
  if (report.unix_ms < 0 || report.unix_ms > msg::unix_s_max * 1000)
    return msg::invalid("unix_ms", "unix_ms must be 0 to 253402300799000");
  return std::nullopt;
}

/// A provisioner's key on the bus is bound to its name, and a host to its provisioner: the one
/// named like it, or the one for many hosts.
bool may_report(const msg::ReportHost& report, const std::string& sender, const StoredHost* known) {
  const bool is_named_like_it = report.process == "provisioner/" + report.host_id.value;
  return report.process == sender &&
         (is_named_like_it || report.process == "provisioner/simulated") &&
         (!known || known->process == report.process);
}

/// Whether the scheduler's records have lost what it acknowledged.
bool must_report_all(const View& view, const msg::ReportHost& report) {
  const auto* known = view.reporter(report.process);
  return report.reported > (known && known->log_id == report.log_id ? known->number : 0);
}

}  // namespace

/// Renews the host's lease.
core::Result<msg::HostLease> Service::report_host(const msg::ReportHost& report,
                                                  core::Context& context) {
  if (auto broken = check(report)) return std::unexpected(*broken);
  if (!may_report(report, context.sender(), view_.host(report.host_id))) {
    core::log::error("host_impersonated",
                     {{"host", report.host_id.value}, {"sender", msg::shown(context.sender())}});
    return core::refuse(
        ErrorCode::forbidden,
        msg::shown(context.sender()) + " is not the provisioner of host " + report.host_id.value,
        "host_id");
  }
  if (is_of_another_machine(view_, report)) {
    core::log::error("host_has_two_machines",
                     {{"host", report.host_id.value}, {"address", report.address}});
    return core::refuse(ErrorCode::conflict,
                        "another machine is host " + report.host_id.value +
                            ", until its lease ends or it is removed",
                        "machine_id");
  }
  const auto copied_now = heartbeats_.begun_copies(report);
  const bool is_restarted = heartbeats_.take(report, loop_.steady_ms(), context.now_unix_ms());
  const auto* known = view_.host(report.host_id);
  const bool has_returned = !known || known->state != msg::HostState::up;
  if (is_restarted || has_returned) forget_kept_memories(report.host_id);
  auto plan = plan_host_report(view_, report, context.now_unix_ms());
  // So that nobody goes on with an answer that says nothing of the copy.
  for (const auto& id : copied_now)
    if (const auto* node = view_.node(id); node && node->host_id == report.host_id)
      plan.shown_again.insert(id);
  if (auto applied = ledger_.apply(std::move(plan), context); !applied)
    return std::unexpected(applied.error());
  const auto& host = *view_.host(report.host_id);
  const bool is_behind = report.revision < host.revision && !heartbeats_.is_called(report.host_id);
  if (is_restarted || is_behind) grants_.send_complete(report.host_id);
  return msg::HostLease{.lease_ms = view_.config().host_lease_ms,
                        .revision = host.revision,
                        .must_report_all = must_report_all(view_, report),
                        .unix_ms = context.now_unix_ms()};
}

/// A repeated report finds its changes taken. No reply is stored for it.
core::Result<msg::DomainsReported> Service::report_domains(const msg::ReportDomains& report,
                                                           core::Context& context) {
  if (report.process != context.sender()) {
    core::log::error("host_impersonated", {{"host", msg::shown(report.process)},
                                           {"sender", msg::shown(context.sender())}});
    return core::refuse(ErrorCode::forbidden,
                        msg::shown(context.sender()) + " is not " + msg::shown(report.process),
                        "process");
  }
  if (auto broken = msg::check(report)) return std::unexpected(*broken);
  const auto last = report.first_number + report.changes.size() - 1;
  while (number_taken(view_, report) < last) {
    auto plan = plan_domain_report(view_, report, context.now_unix_ms());
    if (auto applied = ledger_.apply(std::move(plan), context); !applied)
      return std::unexpected(applied.error());
  }
  for (const auto& change : report.changes)
    if (change.hibernation != msg::HibernationOutcome::unknown && view_.host(change.host_id))
      forget_kept_memories(change.host_id);
  return msg::DomainsReported{.number = number_taken(view_, report)};
}

}  // namespace nucleus::scheduler
