// REST v1: the surface of the Comet service, on which old clients depend (paths, bodies, statuses
// and quirks as its users knew them).
#pragma once

#include "gateway/routing/router.hpp"
#include "gateway/uploads/uploads.hpp"

namespace nucleus::gateway {

void add_v1_routes(Router& router, const FileWork& work);

// Its parts, each in a file of its own.
void add_v1_node_routes(Router& router);
void add_v1_computeset_routes(Router& router);
void add_v1_image_routes(Router& router, const FileWork& work);
void add_v1_person_routes(Router& router);
void add_v1_session_routes(Router& router);

}  // namespace nucleus::gateway
