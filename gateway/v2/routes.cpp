#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

void add_v2_routes(Router& router, core::Runtime& runtime, EventStreams& streams,
                   const FileWork& work, const SessionRules& sessions,
                   const std::string& targets_file) {
  add_v2_cluster_routes(router, streams);
  add_v2_node_routes(router, streams);
  add_v2_disk_routes(router);
  add_v2_recording_routes(router, runtime, streams);
  add_v2_computeset_routes(router, streams);
  add_v2_reservation_routes(router, streams);
  add_v2_centre_routes(router, streams, work);
  add_v2_host_routes(router, streams);
  add_v2_upload_routes(router);
  add_v2_usage_routes(router);
  add_v2_overhead_routes(router);
  add_v2_explanation_routes(router);
  add_v2_people_routes(router);
  add_v2_session_routes(router, sessions);
  add_v2_acknowledgement_routes(router);
  add_v2_process_routes(router);
  add_v2_monitoring_routes(router, targets_file);
  router
      .add("GET", "/v2/events", msg::Right::read,
           [&streams](const ExchangePtr& exchange) { streams.open(exchange); })
      .takes({"after"});
}

}  // namespace nucleus::gateway
