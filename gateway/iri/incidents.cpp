#include "gateway/iri/incidents.hpp"

#include "core/digest/digest.hpp"

namespace nucleus::gateway {

namespace {

constexpr std::size_t host_digits = 16;

}  // namespace

IriIncident incident_of(const msg::Reservation& reservation, const IncidentReader& reader) {
  const bool is_maintenance = reservation.project_id.empty();
  IriIncident incident{
      .id = "reservation-" + std::to_string(reservation.reservation_id),
      .name = reader.is_person ? reservation.name : "maintenance",
      .description = reader.is_person ? reservation.reason : "",
      .type = is_maintenance ? "planned" : "reservation",
      .status = "up",
      .resolution = "pending",
      .start_unix_s = reservation.start_unix_s,
      .end_unix_s = reservation.end_unix_s,
  };
  if (reservation.state == msg::ReservationState::active) {
    incident.resolution = "unresolved";
    if (is_maintenance) incident.status = "degraded";
  }
  if (reservation.state == msg::ReservationState::ended) incident.resolution = "completed";
  return incident;
}

IriIncident incident_of(const msg::Host& host, const IncidentReader& reader) {
  // The same for every reader, also for those that do not see the host's name.
  const auto digest =
      core::sha256_hex(host.host_id.value + "\n" + std::to_string(host.last_heartbeat_unix_ms));
  return {
      .id = "host-" + digest.substr(0, host_digits),
      .name = reader.is_operator ? "host " + host.host_id.value + " is lost" : "a host is lost",
      .description = reader.is_operator ? host.reason : "",
      .type = "unplanned",
      .status = "degraded",
      .resolution = "unresolved",
      .start_unix_s = host.last_heartbeat_unix_ms / 1000,
  };
}

std::vector<IriEvent> events_of(const IriIncident& incident) {
  std::vector<IriEvent> events;
  if (incident.resolution == "pending") return events;
  const bool is_reservation = incident.type == "reservation";
  events.push_back({.id = incident.id + "-begun",
                    .name = incident.name + ": begun",
                    .status = is_reservation ? "up" : "degraded",
                    .unix_s = incident.start_unix_s});
  if (incident.resolution == "completed")
    events.push_back({.id = incident.id + "-ended",
                      .name = incident.name + ": ended",
                      .status = "up",
                      .unix_s = incident.end_unix_s});
  return events;
}

}  // namespace nucleus::gateway
