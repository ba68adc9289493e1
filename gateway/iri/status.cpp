// IRI API: resources and their state, incidents and events.
#include <algorithm>

#include "gateway/iri/incidents.hpp"
#include "gateway/iri/query.hpp"
#include "gateway/iri/resources.hpp"
#include "gateway/routing/pages.hpp"

namespace nucleus::gateway {

namespace {

void list_resources(const ExchangePtr& exchange, const IriSite& site) {
  auto query = read_iri_query(exchange->request,
                              {"name", "description", "group", "offset", "limit", "modified_since",
                               "resource_type", "current_status", "capability"});
  if (!query) return exchange->refuse(query.error());
  // Every resource has the one capability, which is counted in node-hours.
  const auto unit = query->take("capability");
  if (!unit.empty() && unit != "node_hours") return exchange->reply(200, Json::array());
  with_iri_resources(exchange, site, {}, [exchange, query = *query](Json resources) {
    reply_window(exchange, query, std::move(resources));
  });
}

void get_resource(const ExchangePtr& exchange, const IriSite& site) {
  if (const auto query = read_iri_query(exchange->request, {}); !query)
    return exchange->refuse(query.error());
  const std::string& id = exchange->path["resource_id"];
  const auto reply = [exchange, id](const Json& resources) {
    reply_entry(exchange, id, resources);
  };
  if (id == iri_centre_id) return with_iri_centre(exchange, site, reply);
  with_iri_resources(exchange, site, {id}, reply);
}

using Incidents = std::vector<IriIncident>;

/// The incidents that the caller may know of, the earliest first.
void with_incidents(const ExchangePtr& exchange, std::function<void(const Incidents&)> next) {
  const IncidentReader reader{.is_person = !is_anonymous(*exchange),
                              .is_operator = exchange->is_operator()};
  auto incidents = std::make_shared<Incidents>();
  const auto sort_and_answer = [incidents, next = std::move(next)] {
    std::ranges::stable_sort(*incidents, {}, &IriIncident::start_unix_s);
    next(*incidents);
  };
  const auto add_lost_hosts = [exchange, reader, incidents, sort_and_answer] {
    for_each_page<msg::ListHosts>(
        exchange, {.states = {msg::HostState::lost}},
        [incidents, reader](const msg::Hosts& page) {
          for (const auto& host : page.hosts) incidents->push_back(incident_of(host, reader));
        },
        sort_and_answer);
  };
  for_each_page<msg::ListReservations>(
      exchange, {.viewer = msg::viewer_of(exchange->who)},
      [incidents, reader](const msg::Reservations& page) {
        for (const auto& reservation : page.reservations)
          incidents->push_back(incident_of(reservation, reader));
      },
      add_lost_hosts);
}

std::string incident_url(const Exchange& exchange, const IriIncident& incident) {
  return iri_url(exchange, "status/incidents/" + incident.id);
}

std::string event_url(const Exchange& exchange, const IriEvent& event) {
  return iri_url(exchange, "status/events/" + event.id);
}

/// One that has not ended may be changed at any moment.
std::string last_modified(const IriSite& site, const IriIncident& incident) {
  return incident.resolution == "completed" ? iso_time(incident.end_unix_s) : site.now();
}

Json incident_json(const Exchange& exchange, const IriSite& site, const IriIncident& incident) {
  Json entry{{"id", incident.id},
             {"name", incident.name},
             {"last_modified", last_modified(site, incident)},
             {"status", incident.status},
             {"start", iso_time(incident.start_unix_s)},
             {"type", incident.type},
             {"resolution", incident.resolution},
             {"self_uri", incident_url(exchange, incident)},
             {"event_uris", Json::array()},
             {"resource_uris", {resource_url(exchange, iri_centre_id)}}};
  if (!incident.description.empty()) entry["description"] = incident.description;
  if (incident.end_unix_s > 0) entry["end"] = iso_time(incident.end_unix_s);
  for (const auto& event : events_of(incident))
    entry["event_uris"].push_back(event_url(exchange, event));
  return entry;
}

Json event_json(const Exchange& exchange, const IriIncident& incident, const IriEvent& event) {
  return {{"id", event.id},
          {"name", event.name},
          {"last_modified", iso_time(event.unix_s)},
          {"occurred_at", iso_time(event.unix_s)},
          {"status", event.status},
          {"self_uri", event_url(exchange, event)},
          {"resource_uri", resource_url(exchange, iri_centre_id)},
          {"incident_uri", incident_url(exchange, incident)}};
}

/// True if a time bound of the query is given and `is_outside` holds for it.
template <class IsOutside>
bool excludes(const IriQuery& query, const char* name, IsOutside is_outside) {
  const auto bound = query.unix_s.find(name);
  return bound != query.unix_s.end() && is_outside(bound->second);
}

bool is_within(const IriQuery& query, const IriIncident& incident) {
  const auto [start, end] = std::pair(incident.start_unix_s, incident.end_unix_s);
  return !excludes(query, "from", [&](std::int64_t from) { return start < from; }) &&
         !excludes(query, "to", [&](std::int64_t to) { return end == 0 || end >= to; }) &&
         !excludes(query, "time",
                   [&](std::int64_t time) { return start > time || (end > 0 && end <= time); });
}

bool is_within(const IriQuery& query, const IriEvent& event) {
  const auto at = event.unix_s;
  return !excludes(query, "from", [&](std::int64_t from) { return at < from; }) &&
         !excludes(query, "to", [&](std::int64_t to) { return at >= to; }) &&
         !excludes(query, "time", [&](std::int64_t time) { return at != time; });
}

/// Every incident and event is the centre's.
bool is_of_centre(IriQuery& query) {
  const auto resource = query.take("resource_id");
  return resource.empty() || resource == iri_centre_id;
}

void list_incidents(const ExchangePtr& exchange, const IriSite& site) {
  auto query = read_iri_query(exchange->request,
                              {"name", "description", "status", "type", "from", "time", "to",
                               "modified_since", "resource_id", "offset", "limit", "resolution"});
  if (!query) return exchange->refuse(query.error());
  if (!is_of_centre(*query)) return exchange->reply(200, Json::array());
  with_incidents(exchange, [exchange, site, query = *query](const Incidents& incidents) {
    Json all = Json::array();
    for (const auto& incident : incidents)
      if (is_within(query, incident)) all.push_back(incident_json(*exchange, site, incident));
    reply_window(exchange, query, std::move(all));
  });
}

void get_incident(const ExchangePtr& exchange, const IriSite& site) {
  if (const auto query = read_iri_query(exchange->request, {}); !query)
    return exchange->refuse(query.error());
  with_incidents(exchange, [exchange, site](const Incidents& incidents) {
    Json all = Json::array();
    for (const auto& incident : incidents) all.push_back(incident_json(*exchange, site, incident));
    reply_entry(exchange, exchange->path["incident_id"], all);
  });
}

void with_events(const ExchangePtr& exchange, IriQuery query, std::function<void(Json)> next) {
  const auto of_incident = query.take("incident_id");
  with_incidents(exchange, [=](const Incidents& incidents) {
    Json all = Json::array();
    for (const auto& incident : incidents)
      for (const auto& event : events_of(incident))
        if ((of_incident.empty() || of_incident == incident.id) && is_within(query, event))
          all.push_back(event_json(*exchange, incident, event));
    next(std::move(all));
  });
}

void list_events(const ExchangePtr& exchange) {
  auto query = read_iri_query(
      exchange->request, {"incident_id", "resource_id", "name", "description", "status", "from",
                          "time", "to", "modified_since", "offset", "limit"});
  if (!query) return exchange->refuse(query.error());
  if (!is_of_centre(*query)) return exchange->reply(200, Json::array());
  with_events(exchange, *query, [exchange, query = *query](Json events) mutable {
    query.take("incident_id");
    reply_window(exchange, query, std::move(events));
  });
}

void get_event(const ExchangePtr& exchange) {
  if (const auto query = read_iri_query(exchange->request, {}); !query)
    return exchange->refuse(query.error());
  with_events(exchange, {}, [exchange](const Json& events) {
    reply_entry(exchange, exchange->path["event_id"], events);
  });
}

}  // namespace

void add_iri_status_routes(Router& router, const IriSite& site) {
  using Answer = void (*)(const ExchangePtr&, const IriSite&);
  const auto add = [&](const std::string& path, Answer answer) {
    router.add_open("/api/v1/status/" + path,
                    [site, answer](const ExchangePtr& exchange) { answer(exchange, site); });
  };
  add("resources", list_resources);
  add("resources/{resource_id}", get_resource);
  add("incidents", list_incidents);
  add("incidents/{incident_id}", get_incident);
  router.add_open("/api/v1/status/events", list_events);
  router.add_open("/api/v1/status/events/{event_id}", get_event);
}

}  // namespace nucleus::gateway
