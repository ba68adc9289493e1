// The console service's metrics.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace nucleus::console {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : tickets_issued{prometheus::BuildCounter()
                           .Name("nucleus_console_tickets_issued_total")
                           .Help("Console tickets issued.")
                           .Register(registry)
                           .Add({})},
        tickets_refused{prometheus::BuildCounter()
                            .Name("nucleus_console_tickets_refused_total")
                            .Help("Tickets refused: unknown, used or expired.")
                            .Register(registry)
                            .Add({})},
        viewers_cut{prometheus::BuildCounter()
                        .Name("nucleus_console_viewers_cut_total")
                        .Help("Viewers disconnected because they took no bytes.")
                        .Register(registry)
                        .Add({})},
        sessions{prometheus::BuildGauge()
                     .Name("nucleus_console_sessions")
                     .Help("Open console sessions.")
                     .Register(registry)
                     .Add({})},
        certificate_end{prometheus::BuildGauge()
                            .Name("nucleus_console_certificate_end_unix_seconds")
                            .Help("Expiry of the TLS certificate, Unix seconds; 0 = plain HTTP.")
                            .Register(registry)
                            .Add({})},
        bytes_{prometheus::BuildCounter()
                   .Name("nucleus_console_bytes_total")
                   .Help("Bytes passed between viewers and consoles.")
                   .Register(registry)},
        bytes_to_viewers{bytes_.Add({{"direction", "to_viewer"}})},
        bytes_from_viewers{bytes_.Add({{"direction", "from_viewer"}})} {}

  prometheus::Counter& tickets_issued;
  prometheus::Counter& tickets_refused;
  prometheus::Counter& viewers_cut;
  prometheus::Gauge& sessions;
  prometheus::Gauge& certificate_end;

 private:
  prometheus::Family<prometheus::Counter>& bytes_;

 public:
  prometheus::Counter& bytes_to_viewers;
  prometheus::Counter& bytes_from_viewers;
};

}  // namespace nucleus::console
