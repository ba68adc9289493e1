// REST v2, the native one: what v1 has no words for. Every field by the name that messages give it.
#pragma once

#include "gateway/event_streams.hpp"
#include "gateway/router.hpp"

namespace nucleus::gateway {

void add_v2_routes(Router& router, EventStreams& streams);

}  // namespace nucleus::gateway
