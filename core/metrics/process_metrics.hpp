// What the kernel reports about this process, and how busy its loop is. Read at each scrape on the
// HTTP server's thread, so also while the loop is blocked.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <functional>

namespace nucleus::core {

class ProcessMetrics : public prometheus::Collectable {
 public:
  /// `loop_busy_seconds`: how long the loop has not been waiting, since its start; any thread.
  explicit ProcessMetrics(std::function<double()> loop_busy_seconds);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  std::function<double()> loop_busy_seconds_;
};

}  // namespace nucleus::core
