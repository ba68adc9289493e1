// The resources of the IRI API: the caller's clusters, and one for the facility's hosts and
// services. Their ids are the clusters' names, and `_centre`, which no cluster can have.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "gateway/iri/routes.hpp"
#include "gateway/routing/exchange.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::gateway {

NUCLEUS_ENUM(IriStatus, up, down, degraded)

constexpr const char* iri_centre_id = "_centre";
constexpr const char* iri_capability_id = "cores";

/// Whether the scheduler has hosts of these kinds.
struct HostKinds {
  bool has_up = false;
  bool has_missing = false;  // lost or unreachable ones
};
IriStatus centre_status(const HostKinds& hosts);
/// That of a cluster: as the centre's, and degraded if one of its nodes failed.
IriStatus cluster_status(IriStatus centre, std::span<const msg::NodeStatus* const> nodes);

/// True if the request has no credential.
bool is_anonymous(const Exchange& exchange);
/// The URL of a path below /api/v1/.
std::string iri_url(const Exchange& exchange, const std::string& path);
std::string resource_url(const Exchange& exchange, const std::string& id);

/// The clusters that the caller sees, or the one of this name alone: else 404. Without a credential
/// there are none.
void with_visible_clusters(const ExchangePtr& exchange, const msg::ClusterId& only,
                           std::function<void(const std::vector<msg::Cluster>&)> next);

/// The centre, then the clusters.
void with_iri_resources(const ExchangePtr& exchange, const IriSite& site,
                        const msg::ClusterId& only, std::function<void(Json)> next);
/// The centre alone.
void with_iri_centre(const ExchangePtr& exchange, const IriSite& site,
                     std::function<void(const Json&)> next);

}  // namespace nucleus::gateway
