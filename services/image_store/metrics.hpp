// The image store's Prometheus series.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace nucleus::image_store {

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : images{gauge(registry, "nucleus_image_store_images", "Images that are published.")},
        volumes_ready{gauge(registry, "nucleus_image_store_volumes_ready",
                            "Volumes that a node can be started with.")},
        volumes_waiting{gauge(registry, "nucleus_image_store_volumes_waiting",
                              "Volumes that are not there yet, or cannot be made.")},
        uploads_refused{prometheus::BuildCounter()
                            .Name("nucleus_image_store_uploads_refused_total")
                            .Help("Uploads that failed their check.")
                            .Register(registry)
                            .Add({})} {}

  prometheus::Gauge& images;
  prometheus::Gauge& volumes_ready;
  prometheus::Gauge& volumes_waiting;
  prometheus::Counter& uploads_refused;

 private:
  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name,
                                  const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
};

}  // namespace nucleus::image_store
