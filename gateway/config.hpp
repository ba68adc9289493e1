// The gateway's settings.
#pragma once

#include <cstdint>
#include <string>

#include "core/config/settings.hpp"
#include "core/http/server.hpp"
#include "core/loop/loop.hpp"
#include "gateway/events/stream_slots.hpp"

namespace nucleus::gateway {

/// What the IRI API tells about the facility; an empty text is not told.
struct FacilityFacts {
  std::string name = "Nucleus";
  std::string short_name = "nucleus";
  std::string description = "Virtual clusters on the facility's own hosts";
  std::string organization = {};
  std::string support_uri = {};
  std::string country = {};
  std::string state_or_province = {};
  std::string locality = {};
  std::string street_address = {};
  std::string unlocode = {};
  std::int64_t node_cores = 1;  // of the node that node-hours are counted in
};

struct Config {
  core::http::ServerOptions http = {};
  std::string public_url = {};       // as clients reach the gateway; empty = from their Host header
  std::string spool_directory = {};  // for uploads in progress; empty = uploads are refused
  std::string portal_directory = {};  // the portal's files; empty = no portal
  std::string console_url = {};       // that consoles are opened at; pages may connect to it
  std::string uploads_url = {};       // that images are uploaded to; pages may connect to it
  std::string targets_file = {};    // of the head's /metrics, as Prometheus reads it; empty = none
  std::int64_t session_s = 43'200;  // of a sign-in to the portal
  std::uint64_t upload_bytes_max = 64ULL << 30;
  core::Milliseconds call_deadline{5'000};
  std::size_t events_retained = 10'000;  // kept in memory for streams that resume
  StreamSlots::Limits streams = {};
  std::size_t cache_bytes_max = 64 << 20;  // of cached answers; 0 = nothing is cached
  FacilityFacts facility = {};

  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::gateway
