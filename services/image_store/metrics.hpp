// The image store's Prometheus series.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "services/image_store/view.hpp"

namespace nucleus::image_store {

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : images{gauge(registry, "nucleus_image_store_images", "Published images.")},
        volumes_ready{gauge(registry, "nucleus_image_store_volumes_ready",
                            "Volumes that nodes can start with.")},
        volumes_waiting{gauge(registry, "nucleus_image_store_volumes_waiting",
                              "Volumes that are not made yet, cannot be made, or lack their ISO.")},
        uploads_refused{prometheus::BuildCounter()
                            .Name("nucleus_image_store_uploads_refused_total")
                            .Help("Uploads and imports that failed their checks.")
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

inline void show_counts(Metrics& metrics, const View& view) {
  metrics.images.Set(static_cast<double>(view.images().size()));
  metrics.volumes_ready.Set(static_cast<double>(view.count(VolumeState::ready)));
  metrics.volumes_waiting.Set(static_cast<double>(view.count(VolumeState::waiting)));
}

}  // namespace nucleus::image_store
