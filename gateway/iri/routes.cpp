#include "gateway/iri/routes.hpp"

#include "gateway/iri/query.hpp"

namespace nucleus::gateway {

std::string IriSite::now() const {
  return iso_time(loop.unix_ms() / 1000);
}

void add_iri_routes(Router& router, const FacilityFacts& facts, core::Loop& loop) {
  const IriSite site{.facts = facts, .loop = loop, .started_unix_s = loop.unix_ms() / 1000};
  add_iri_facility_routes(router, site);
  add_iri_status_routes(router, site);
  add_iri_account_routes(router, site);
  add_iri_compute_routes(router, site);
}

}  // namespace nucleus::gateway
