// REST v2, the native one: what v1 has no words for. Every field by the name that messages give it.
#pragma once

#include "gateway/events/event_streams.hpp"
#include "gateway/routing/lookups.hpp"
#include "gateway/routing/router.hpp"
#include "gateway/uploads/uploads.hpp"

namespace nucleus::gateway {

void add_v2_routes(Router& router, EventStreams& streams, const FileWork& work);

// Each beside its resources.
void add_v2_cluster_routes(Router& router, EventStreams& streams);
void add_v2_node_routes(Router& router, EventStreams& streams);
void add_v2_computeset_routes(Router& router, EventStreams& streams);
void add_v2_centre_routes(Router& router, EventStreams& streams, const FileWork& work);
void add_v2_people_routes(Router& router);
void add_v2_acknowledgement_routes(Router& router);

/// A node as it is defined and as it stands.
Json node_json(const msg::Node& node, const NodeStatesById& states);

}  // namespace nucleus::gateway
