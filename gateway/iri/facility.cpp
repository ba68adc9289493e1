// IRI API: the facility and its only site, as the gateway's settings describe them.
#include "gateway/iri/query.hpp"
#include "gateway/iri/resources.hpp"

namespace nucleus::gateway {

namespace {

/// Adds the texts that are not empty.
void add_texts(Json& entry,
               std::initializer_list<std::pair<const char*, const std::string&>> texts) {
  for (const auto& [name, text] : texts)
    if (!text.empty()) entry[name] = text;
}

Json facility_json(const Exchange& exchange, const IriSite& site) {
  const auto& facts = site.facts;
  Json facility{{"id", "facility"},
                {"last_modified", iso_time(site.started_unix_s)},
                {"self_uri", iri_url(exchange, "facility")},
                {"site_uris", {iri_url(exchange, "facility/sites/site")}}};
  add_texts(facility, {{"name", facts.name},
                       {"short_name", facts.short_name},
                       {"description", facts.description},
                       {"organization_name", facts.organization},
                       {"support_uri", facts.support_uri}});
  return facility;
}

void get_facility(const ExchangePtr& exchange, const IriSite& site) {
  const auto query = read_iri_query(exchange->request, {"modified_since"});
  if (!query) return exchange->refuse(query.error());
  const Json facility = facility_json(*exchange, site);
  if (!fits(*query, facility)) return exchange->respond({.status = 304});
  exchange->reply(200, facility);
}

void with_sites(const ExchangePtr& exchange, const IriSite& site, std::function<void(Json)> next) {
  with_visible_clusters(exchange, {}, [=](const std::vector<msg::Cluster>& clusters) {
    const auto& facts = site.facts;
    Json entry{
        {"id", "site"},
        {"last_modified", site.now()},
        {"operating_organization", facts.organization.empty() ? Json() : Json(facts.organization)},
        {"self_uri", iri_url(*exchange, "facility/sites/site")},
        {"resource_uris", {resource_url(*exchange, iri_centre_id)}}};
    add_texts(entry, {{"name", facts.name},
                      {"short_name", facts.short_name},
                      {"description", facts.description},
                      {"country_name", facts.country},
                      {"state_or_province_name", facts.state_or_province},
                      {"locality_name", facts.locality},
                      {"street_address", facts.street_address},
                      {"unlocode", facts.unlocode}});
    for (const auto& cluster : clusters)
      entry["resource_uris"].push_back(resource_url(*exchange, cluster.cluster_id.value));
    next(Json::array({std::move(entry)}));
  });
}

void list_sites(const ExchangePtr& exchange, const IriSite& site) {
  const auto query = read_iri_query(exchange->request,
                                    {"modified_since", "name", "short_name", "offset", "limit"});
  if (!query) return exchange->refuse(query.error());
  with_sites(exchange, site, [exchange, query = *query](Json sites) {
    reply_window(exchange, query, std::move(sites));
  });
}

void get_site(const ExchangePtr& exchange, const IriSite& site) {
  const auto query = read_iri_query(exchange->request, {"modified_since"});
  if (!query) return exchange->refuse(query.error());
  with_sites(exchange, site, [exchange](const Json& sites) {
    reply_entry(exchange, exchange->path["site_id"], sites);
  });
}

}  // namespace

void add_iri_facility_routes(Router& router, const IriSite& site) {
  router.add_open("/api/v1/facility",
                  [site](const ExchangePtr& exchange) { get_facility(exchange, site); });
  router.add_open("/api/v1/facility/sites",
                  [site](const ExchangePtr& exchange) { list_sites(exchange, site); });
  router.add_open("/api/v1/facility/sites/{site_id}",
                  [site](const ExchangePtr& exchange) { get_site(exchange, site); });
}

}  // namespace nucleus::gateway
