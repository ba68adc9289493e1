// What the kernel says of this process, and how busy its loop is: read at each scrape, on the
// scraping thread, so that it is told even while the loop hangs.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <functional>

namespace nucleus::core {

class ProcessMetrics : public prometheus::Collectable {
 public:
  /// `loop_busy_seconds`: time that the loop did not wait, since its start. From any thread.
  explicit ProcessMetrics(std::function<double()> loop_busy_seconds);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  std::function<double()> loop_busy_seconds_;
};

}  // namespace nucleus::core
