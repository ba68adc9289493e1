// The console service's metrics.
#pragma once

#include "core/metrics/series.hpp"

namespace nucleus::console {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : tickets_issued{core::counter(registry, "nucleus_console_tickets_issued_total",
                                     "Console tickets issued.")},
        tickets_refused{core::counter(registry, "nucleus_console_tickets_refused_total",
                                      "Tickets refused: unknown, used or expired.")},
        viewers_cut{core::counter(registry, "nucleus_console_viewers_cut_total",
                                  "Viewers disconnected because they took no bytes.")},
        recording_failures{core::counter(registry, "nucleus_console_recording_failures_total",
                                         "Writes of recordings that failed.")},
        recorded_bytes{core::counter(registry, "nucleus_console_recorded_bytes_total",
                                     "Bytes of consoles that were recorded.")},
        recording_lost_bytes{core::counter(registry, "nucleus_console_recording_lost_bytes_total",
                                           "Bytes of consoles that could not be recorded.")},
        sessions{core::gauge(registry, "nucleus_console_sessions", "Open console sessions.")},
        certificate_end{
            core::gauge(registry, "nucleus_console_certificate_end_unix_seconds",
                        "Expiry of the TLS certificate, Unix seconds; 0 = plain HTTP.")},
        hosts_certificate_end{
            core::gauge(registry, "nucleus_console_hosts_certificate_end_unix_seconds",
                        "Expiry of the TLS certificate for hosts, Unix seconds; 0 = plain HTTP.")},
        bytes_{core::counter_family(registry, "nucleus_console_bytes_total",
                                    "Bytes passed between viewers and consoles.")},
        bytes_to_viewers{bytes_.Add({{"direction", "to_viewer"}})},
        bytes_from_viewers{bytes_.Add({{"direction", "from_viewer"}})} {}

  prometheus::Counter& tickets_issued;
  prometheus::Counter& tickets_refused;
  prometheus::Counter& viewers_cut;
  prometheus::Counter& recording_failures;
  prometheus::Counter& recorded_bytes;
  prometheus::Counter& recording_lost_bytes;
  prometheus::Gauge& sessions;
  prometheus::Gauge& certificate_end;
  prometheus::Gauge& hosts_certificate_end;

 private:
  core::CounterFamily& bytes_;

 public:
  prometheus::Counter& bytes_to_viewers;
  prometheus::Counter& bytes_from_viewers;
};

}  // namespace nucleus::console
