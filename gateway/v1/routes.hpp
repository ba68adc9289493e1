// REST v1: the Comet REST API, for old clients (docs/rest-v1.md).
#pragma once

#include "gateway/routing/router.hpp"
#include "gateway/uploads/uploads.hpp"

namespace nucleus::gateway {

void add_v1_routes(Router& router, const FileWork& work);

// Its parts, each in its own file.
void add_v1_cluster_routes(Router& router);
void add_v1_node_routes(Router& router);
void add_v1_computeset_routes(Router& router);
void add_v1_image_routes(Router& router, const FileWork& work);
void add_v1_people_routes(Router& router);
void add_v1_session_routes(Router& router);

}  // namespace nucleus::gateway
