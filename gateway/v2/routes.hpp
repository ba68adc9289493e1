// REST v2, the native API. Its fields have the names of the messages' fields.
#pragma once

#include "gateway/events/event_streams.hpp"
#include "gateway/routing/lookups.hpp"
#include "gateway/routing/router.hpp"
#include "gateway/uploads/uploads.hpp"

namespace nucleus::gateway {

/// How long a session of the portal lasts.
struct SessionRules {
  core::Loop& loop;
  std::int64_t session_s = 0;
};

void add_v2_routes(Router& router, core::Runtime& runtime, EventStreams& streams,
                   const FileWork& work, const SessionRules& sessions,
                   const std::string& targets_file);

// Its parts, each in its own file.
void add_v2_cluster_routes(Router& router, EventStreams& streams);
void add_v2_node_routes(Router& router, EventStreams& streams);
void add_v2_disk_routes(Router& router);
void add_v2_recording_routes(Router& router, core::Runtime& runtime, EventStreams& streams);
void add_v2_computeset_routes(Router& router, EventStreams& streams);
void add_v2_reservation_routes(Router& router, EventStreams& streams);
void add_v2_centre_routes(Router& router, EventStreams& streams, const FileWork& work);
void add_v2_host_routes(Router& router, EventStreams& streams);
void add_v2_upload_routes(Router& router);
void add_v2_usage_routes(Router& router);
void add_v2_overhead_routes(Router& router);
void add_v2_explanation_routes(Router& router);
void add_v2_people_routes(Router& router);
void add_v2_session_routes(Router& router, const SessionRules& rules);
void add_v2_acknowledgement_routes(Router& router);
void add_v2_process_routes(Router& router);
/// `targets_file`: those of the head's processes; empty = none.
void add_v2_monitoring_routes(Router& router, const std::string& targets_file);

/// A node's definition and status.
Json node_json(const msg::Node& node, const NodeStatusesById& statuses);
/// How far a node's image is copied to its host; `eta_s` only while that is known.
Json image_copy_json(const msg::ImageCopy& copy);
/// Of an answer with this node, which must not be cached while its image is copied.
core::http::Headers node_headers(const Json& node);

}  // namespace nucleus::gateway
