#include "services/provisioner/reporter.hpp"

#include "core/log/log.hpp"
#include "services/provisioner/public_text.hpp"

namespace nucleus::provisioner {

void Reporter::report(StoredGrant stored, DomainReport report) {
  report.reason = without_paths(report.reason);
  const bool is_news =
      stored.reported_state != report.state || stored.reported_reason != report.reason;
  stored.reported_state = report.state;
  stored.reported_reason = report.reason;
  const auto& grant = stored.grant;
  const auto* known = grants_.find({stored.host_id, grant.node_id});
  if (!is_news && known && known->phase == stored.phase) return;
  core::log::info("domain_changed", {{"domain", stored.domain_name},
                                     {"epoch", grant.epoch},
                                     {"state", msg::name_of(report.state)},
                                     {"reason", report.reason}});
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  if (is_news)
    tx.emit(msg::DomainChanged{.host_id = stored.host_id,
                               .node_id = grant.node_id,
                               .cluster_id = grant.cluster_id,
                               .project_id = grant.project_id,
                               .epoch = grant.epoch,
                               .state = report.state,
                               .reason = report.reason,
                               .last_seen_unix_ms = report.last_seen_unix_ms});
  grants_.write(tx, std::move(stored));
  (void)tx.commit();  // a failed commit loads the records again, and all is observed again
}

}  // namespace nucleus::provisioner
