// The image store's Prometheus series.
#pragma once

#include "core/metrics/series.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : images{core::gauge(registry, "nucleus_image_store_images", "Published images.")},
        volumes_ready{core::gauge(registry, "nucleus_image_store_volumes_ready",
                                  "Volumes that nodes can start with.")},
        volumes_waiting{
            core::gauge(registry, "nucleus_image_store_volumes_waiting",
                        "Volumes that are not made yet, cannot be made, or lack their ISO.")},
        uploads_refused{core::counter(registry, "nucleus_image_store_uploads_refused_total",
                                      "Uploads and imports that failed their checks.")},
        bytes_received{core::counter(registry, "nucleus_image_store_bytes_received_total",
                                     "Bytes of uploads that were received and are durable.")},
        bytes_read{core::counter(registry, "nucleus_image_store_bytes_read_total",
                                 "Bytes of images read by hosts.")},
        chunks_sent{core::counter(registry, "nucleus_image_store_chunks_sent_total",
                                  "Chunks of images sent to hosts.")},
        chunk_bytes_sent{core::counter(registry, "nucleus_image_store_chunk_bytes_sent_total",
                                       "Bytes of chunks sent to hosts, as packed.")},
        fan_out_hosts{core::gauge(registry, "nucleus_image_store_fan_out_hosts",
                                  "Hosts that serve chunks to others, once for each image.")},
        reads_refused{core::counter(registry, "nucleus_image_store_reads_refused_total",
                                    "Reads by hosts without a valid ticket for the file.")},
        certificate_end{core::gauge(registry, "nucleus_image_store_certificate_end_unix_seconds",
                                    "Expiry of the TLS certificate, Unix seconds; 0 = no TLS.")},
        uploads_certificate_end{
            core::gauge(registry, "nucleus_image_store_uploads_certificate_end_unix_seconds",
                        "Expiry of the TLS certificate for uploads, Unix seconds; 0 = no TLS.")} {}

  prometheus::Gauge& images;
  prometheus::Gauge& volumes_ready;
  prometheus::Gauge& volumes_waiting;
  prometheus::Counter& uploads_refused;
  prometheus::Counter& bytes_received;
  prometheus::Counter& bytes_read;
  prometheus::Counter& chunks_sent;
  prometheus::Counter& chunk_bytes_sent;
  prometheus::Gauge& fan_out_hosts;
  prometheus::Counter& reads_refused;
  prometheus::Gauge& certificate_end;
  prometheus::Gauge& uploads_certificate_end;
};

inline void show_counts(Metrics& metrics, const View& view) {
  metrics.images.Set(static_cast<double>(view.images().size()));
  metrics.volumes_ready.Set(static_cast<double>(view.count(VolumeState::ready)));
  metrics.volumes_waiting.Set(static_cast<double>(view.count(VolumeState::waiting)));
}

}  // namespace nucleus::image_store
