// Incidents of the IRI API, and their events: maintenance windows, the caller's reservations and
// lost hosts, as the scheduler knows them now. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/reservations.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::gateway {

struct IriIncident {
  std::string id = {};
  std::string name = {};
  std::string description = {};  // empty = none
  std::string type = {};         // planned, unplanned, reservation
  std::string status = {};       // of the centre because of it
  std::string resolution = {};   // pending, unresolved, completed
  std::int64_t start_unix_s = 0;
  std::int64_t end_unix_s = 0;  // 0 = not known
};

/// Who asks: people see names and reasons, operators those of hosts too.
struct IncidentReader {
  bool is_person = false;
  bool is_operator = false;
};
IriIncident incident_of(const msg::Reservation& reservation, const IncidentReader& reader);
/// Of a host that is lost.
IriIncident incident_of(const msg::Host& host, const IncidentReader& reader);

/// A change of the centre's state within an incident.
struct IriEvent {
  std::string id = {};
  std::string name = {};
  std::string status = {};
  std::int64_t unix_s = 0;
};
/// Those that have happened, in order.
std::vector<IriEvent> events_of(const IriIncident& incident);

}  // namespace nucleus::gateway
