#include "core/metrics/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace nucleus::core {

namespace {

/// Fields of /proc/self/stat. The program's name in it may contain spaces.
struct KernelStat {
  double cpu_seconds = 0;
  double threads = 0;
  double start_unix_s = 0;
  double resident_bytes = 0;
};

double boot_unix_s() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double value = 0;
    if (word == "btime" && file >> value) return value;
  }
  return 0;
}

KernelStat read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  const auto skip = [&](int count) {
    for (std::string word; count > 0; --count) rest >> word;
  };
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  double user = 0, system = 0, threads = 0, start = 0, pages = 0;
  skip(11);
  rest >> user >> system;
  skip(4);
  rest >> threads;
  skip(1);
  rest >> start;
  skip(1);
  rest >> pages;
  return {.cpu_seconds = (user + system) / ticks,
          .threads = threads,
          .start_unix_s = boot_unix_s() + start / ticks,
          .resident_bytes = pages * static_cast<double>(sysconf(_SC_PAGESIZE))};
}

double open_descriptors() {
  std::error_code error;
  const std::filesystem::directory_iterator all("/proc/self/fd", error);
  return static_cast<double>(std::distance(begin(all), end(all)));
}

double most_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

ProcessMetrics::ProcessMetrics(std::function<double()> loop_busy_seconds)
    : loop_busy_seconds_{std::move(loop_busy_seconds)} {}

std::vector<prometheus::MetricFamily> ProcessMetrics::Collect() const {
  std::vector<prometheus::MetricFamily> families;
  const auto add = [&](const char* name, const char* help, prometheus::MetricType type,
                       double value) {
    prometheus::ClientMetric metric;
    metric.counter.value = value;
    metric.gauge.value = value;
    families.push_back({name, help, type, {metric}});
  };
  const auto stat = read_stat();
  using prometheus::MetricType;
  add("nucleus_core_process_cpu_seconds_total", "User and system CPU time of the process.",
      MetricType::Counter, stat.cpu_seconds);
  add("nucleus_core_process_resident_memory_bytes", "Resident memory of the process.",
      MetricType::Gauge, stat.resident_bytes);
  add("nucleus_core_process_threads", "Threads of the process.", MetricType::Gauge, stat.threads);
  add("nucleus_core_process_open_fds", "Open file descriptors.", MetricType::Gauge,
      open_descriptors());
  add("nucleus_core_process_max_fds", "Limit of open file descriptors.", MetricType::Gauge,
      most_descriptors());
  add("nucleus_core_process_start_time_seconds", "Start time of the process, Unix seconds.",
      MetricType::Gauge, stat.start_unix_s);
  add("nucleus_core_loop_busy_seconds_total", "Time during which the event loop was not waiting.",
      MetricType::Counter, loop_busy_seconds_());
  return families;
}

}  // namespace nucleus::core
