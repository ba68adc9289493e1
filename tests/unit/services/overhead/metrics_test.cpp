// The overhead metrics show the last measurement; no label names a cluster.
#include "services/overhead/metrics.hpp"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

namespace nucleus::overhead {
namespace {

TEST(OverheadMetrics, ShowTheLastMeasurementWithoutTheClustersName) {
  prometheus::Registry registry;
  Metrics metrics(registry);
  metrics.count(msg::OverheadReport{.failure = "no fio"});
  msg::OverheadReport report{.cluster_id = {"unmistakable"}, .measured_unix_s = 1'700'000'000};
  report.mpi_cluster.latency_us = 400;
  report.mpi_host.latency_us = 8;
  metrics.count(report);
  metrics.show(report);
  const msg::Certificate certificate{
      .cluster_id = {"unmistakable"},
      .accelerator = "tcg",
      .figures = {{.measurement = "mpi_latency",
                   .kind = msg::FigureKind::latency,
                   .ratio = {.median = 50},
                   .noise = {.median = 1.01},
                   .verdict = msg::Verdict::exceeded},
                  {.measurement = "mpi_barrier", .verdict = msg::Verdict::refused}}};
  metrics.show(certificate);
  metrics.count(certificate);
  const std::string text = prometheus::TextSerializer().Serialize(registry.Collect());
  for (const char* line : {"nucleus_overhead_measurements_total{result=\"failed\"} 1",
                           "nucleus_overhead_measurements_total{result=\"measured\"} 1",
                           "nucleus_overhead_mpi_latency_seconds{where=\"cluster\"} 0.0004",
                           "nucleus_overhead_mpi_bandwidth_bytes_per_second{where=\"host\"} 0",
                           "nucleus_overhead_io_random_reads_per_second{where=\"host\"} 0",
                           "nucleus_overhead_ratio{accelerator=\"tcg\",kind=\"latency\","
                           "of=\"mpi_latency\"} 50",
                           "nucleus_overhead_noise_ratio{of=\"mpi_latency\"} 1.01",
                           "nucleus_overhead_verdicts_total{of=\"mpi_barrier\","
                           "verdict=\"refused\"} 1",
                           "nucleus_overhead_measured_time_seconds 1700000000"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  EXPECT_EQ(text.find("unmistakable"), std::string::npos);
}

}  // namespace
}  // namespace nucleus::overhead
