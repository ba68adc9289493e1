// The IRI Facility API, version 1 (docs/rest-iri.md): clusters as compute resources, computesets as
// jobs. Its fields have the names of that API's specification.
#pragma once

#include "core/loop/loop.hpp"
#include "gateway/config.hpp"
#include "gateway/routing/router.hpp"

namespace nucleus::gateway {

/// What its routes know beside the request. Outlived by the gateway's service.
struct IriSite {
  const FacilityFacts& facts;
  core::Loop& loop;
  std::int64_t started_unix_s = 0;  // when the facts were read

  std::string now() const;
};

void add_iri_routes(Router& router, const FacilityFacts& facts, core::Loop& loop);

// Its parts, each in its own file.
void add_iri_facility_routes(Router& router, const IriSite& site);
void add_iri_status_routes(Router& router, const IriSite& site);
void add_iri_account_routes(Router& router, const IriSite& site);
void add_iri_compute_routes(Router& router, const IriSite& site);

}  // namespace nucleus::gateway
