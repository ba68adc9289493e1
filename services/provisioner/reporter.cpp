#include "services/provisioner/reporter.hpp"

#include <algorithm>

#include "core/log/log.hpp"
#include "services/provisioner/keys.hpp"
#include "services/provisioner/public_text.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::size_t changes_per_call = 500;
constexpr core::Milliseconds call_timeout{5'000};

}  // namespace

void Reporter::rebuild() {
  ++generation_;
  is_sending_ = false;
  const auto* log = store_.read(keys::report_log());
  log_ = log ? *log : StoredReportLog{};
  waiting_.clear();
  store_.for_each<StoredReport>(keys::reports(),
                                [this](const StoredReport& report) { waiting_.push_back(report); });
  send();
}

void Reporter::report(StoredGrant stored, DomainReport report) {
  report.reason = without_paths(report.reason).substr(0, msg::domain_reason_bytes_max);
  const bool is_news = stored.reported_state != report.state ||
                       stored.reported_reason != report.reason ||
                       stored.is_reported_preparing != report.is_preparing ||
                       stored.reported_hibernation != stored.hibernation;
  stored.reported_state = report.state;
  stored.reported_reason = report.reason;
  stored.is_reported_preparing = report.is_preparing;
  stored.reported_hibernation = stored.hibernation;
  const auto& grant = stored.grant;
  const auto* known = grants_.find({stored.host_id, grant.node_id});
  if (!is_news && known && known->phase == stored.phase) return;
  core::log::info("domain_changed", {{"domain", stored.domain_name},
                                     {"epoch", grant.epoch},
                                     {"state", msg::name_of(report.state)},
                                     {"reason", report.reason}});
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  if (is_news) add(tx, stored, report.last_seen_unix_ms);
  grants_.write(tx, std::move(stored));
  // A failed commit loads the records again, and all is observed again.
  if (tx.commit()) send();
}

void Reporter::begin_log() {
  core::log::warning("domains_reported_again", {{"acknowledged", log_.acknowledged}});
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  for (const auto& report : waiting_) tx.remove(keys::report(report.number));
  waiting_.clear();
  log_ = {.log_id = loop_.new_id()};
  tx.write(keys::report_log(), log_);
  grants_.for_each([&](const StoredGrant& stored) {
    if (stored.reported_state != msg::DomainState::unknown) add(tx, stored, 0);
  });
  ++generation_;  // what is under way is of the earlier log
  is_sending_ = false;
  if (tx.commit()) send();
}

void Reporter::add(core::Transaction& tx, const StoredGrant& stored,
                   std::int64_t last_seen_unix_ms) {
  const auto& grant = stored.grant;
  if (log_.log_id.empty()) log_.log_id = loop_.new_id();
  StoredReport report{.number = ++log_.last,
                      .change = {.host_id = stored.host_id,
                                 .node_id = grant.node_id,
                                 .cluster_id = grant.cluster_id,
                                 .project_id = grant.project_id,
                                 .epoch = grant.epoch,
                                 .state = stored.reported_state,
                                 .reason = stored.reported_reason,
                                 .last_seen_unix_ms = last_seen_unix_ms,
                                 .is_preparing = stored.is_reported_preparing,
                                 .hibernation = stored.reported_hibernation,
                                 .memory_bytes = stored.memory_bytes}};
  tx.write(keys::report(report.number), report);
  tx.write(keys::report_log(), log_);
  waiting_.push_back(std::move(report));
}

/// A number must not be sent before it is durable: it would be used again.
void Reporter::send() {
  if (is_sending_ || waiting_.empty() || !store_.is_loaded()) return;
  is_sending_ = true;
  store_.when_durable([this, generation = generation_,
                       last = waiting_.back().number](const core::Result<void>& durable) {
    if (durable && generation == generation_) send_to(last);
  });
}

void Reporter::send_to(std::uint64_t last) {
  msg::ReportDomains report{.process = bus_.link().name(),
                            .log_id = log_.log_id,
                            .first_number = waiting_.front().number};
  for (const auto& [number, change] : waiting_)
    if (number <= last && report.changes.size() < changes_per_call)
      report.changes.push_back(change);
  bus_.call<msg::ReportDomains>(
      report, {.deadline = call_timeout},
      [this, generation = generation_](const core::Result<msg::DomainsReported>& answer) {
        if (generation != generation_) return;
        is_sending_ = false;
        if (answer) return take_answer(*answer);
        // Until the next heartbeat: a scheduler that is away costs nothing.
        core::log::warning("domains_not_reported", {{"reason", answer.error().detail}});
      });
}

void Reporter::take_answer(const msg::DomainsReported& answer) {
  // The scheduler knows more of this log than we do: our file is older than it was.
  if (answer.number > log_.last) return begin_log();
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  while (!waiting_.empty() && waiting_.front().number <= answer.number) {
    tx.remove(keys::report(waiting_.front().number));
    waiting_.pop_front();
  }
  log_.acknowledged = std::max(log_.acknowledged, answer.number);
  tx.write(keys::report_log(), log_);
  if (tx.commit()) send();
}

}  // namespace nucleus::provisioner
