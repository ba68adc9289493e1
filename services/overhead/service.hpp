// The overhead service measures MPI, memory and storage in a cluster and on its hosts, and keeps
// signed certificates of what virtualization costs there; and it finds slow links in a cluster. A
// cluster has one measurement at a time, whose runs follow one another, so that none disturbs the
// next. Runs on the service's loop.
#pragma once

#include <map>
#include <memory>

#include "core/runtime/runtime.hpp"
#include "messages/overhead.hpp"
#include "services/overhead/certificates.hpp"
#include "services/overhead/link_runs.hpp"
#include "services/overhead/metrics.hpp"
#include "services/overhead/selection.hpp"

namespace nucleus::overhead {

class Service {
 public:
  /// Without a key, certificates are not signed.
  Service(core::Runtime& runtime, Config config, std::optional<SigningKey> key = {});

 private:
  struct Measurement {
    msg::Certificate certificate = {};
    std::int64_t end_unix_ms = 0;  // no new runs after it
    std::vector<std::string> tools = {};
    Selection selection = {};
    std::optional<Campaign> campaign = {};
  };
  using MeasurementPtr = std::shared_ptr<Measurement>;

  core::Result<msg::Done> measure_cluster(const msg::MeasureCluster& request,
                                          core::Context& context);
  core::Result<msg::OverheadReport> get_report(const msg::GetReport& request,
                                               core::Context& context);
  core::Result<msg::Certificate> get_certificate(const msg::GetCertificate& request,
                                                 core::Context& context);
  core::Result<msg::Certificates> list_certificates(const msg::ListCertificates& request,
                                                    core::Context& context);
  core::Result<msg::SigningKey> get_signing_key(const msg::GetSigningKey& request,
                                                core::Context& context);
  core::Result<msg::Done> measure_links(const msg::MeasureLinks& request, core::Context& context);
  core::Result<msg::LinksReport> get_links(const msg::GetLinks& request, core::Context& context);
  core::Result<void> handle_cluster_removed(const msg::ClusterRemoved& event,
                                            core::Context& context);
  core::Result<void> handle_computeset_changed(const msg::ComputesetChanged& event,
                                               core::Context& context);
  void load();
  void begin_pending(core::Context& context);
  void find_nodes(const MeasurementPtr& measurement);
  void begin_runs(const MeasurementPtr& measurement);
  bool is_in_progress(const MeasurementPtr& measurement) const;
  void run_next(const MeasurementPtr& measurement);
  void take_run(const MeasurementPtr& measurement, const Turn& turn,
                const core::Result<msg::MeasurementRun>& run);
  void finish(const MeasurementPtr& measurement, const std::string& failure);

  core::Runtime& runtime_;
  const Config config_;
  Metrics metrics_;
  Certificates certificates_;
  LinkRuns links_;
  std::map<msg::ClusterId, MeasurementPtr> in_progress_ = {};
};

}  // namespace nucleus::overhead
