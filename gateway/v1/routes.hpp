// REST v1: the surface of the Comet service, on which old clients depend (paths, bodies, statuses
// and quirks as its users knew them).
#pragma once

#include "core/loop/loop.hpp"
#include "gateway/exchange.hpp"
#include "gateway/router.hpp"

namespace nucleus::gateway {

/// What routes with slow work need.
struct V1Means {
  core::Loop& loop;
  core::Workers& workers;
  core::Milliseconds call_deadline;
};

void add_v1_routes(Router& router, const V1Means& means);

// Its parts, each in a file of its own.
void add_v1_node_routes(Router& router);
void add_v1_computeset_routes(Router& router);
void add_v1_image_routes(Router& router, const V1Means& means);
void add_v1_person_routes(Router& router);
void add_v1_session_routes(Router& router);

}  // namespace nucleus::gateway
