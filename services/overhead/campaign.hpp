// Which run is next in the measurement of a cluster, and the figures of the runs so far. Pure.
//
// The runs of a tool come in blocks: native, virtual, virtual, native, which are two pairs in
// opposite order, so that a steady drift of the host cancels; then two native runs, a pair for the
// noise floor. Native and virtual runs cannot share cores, so one runs at a time. Tools take turns
// by block, so that each has figures when the time is over.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/overhead/comparison.hpp"

namespace nucleus::overhead {

/// What makes a verdict: the operator's thresholds, and how exact it must be.
struct Limits {
  std::size_t pairs_max = 64;
  double latency_ratio_max = 1.32;
  double bandwidth_ratio_min = 1 / 1.21;
  double application_ratio_max = 1.08;
  double latency_half_width_max = 0.02;
  double half_width_max = 0.01;  // of bandwidth and application
};

struct Turn {
  const msg::Tool* tool = nullptr;
  bool is_native = false;
};

class Campaign {
 public:
  Campaign(Limits limits, bool is_single_host, const std::vector<std::string>& tool_names);

  /// The next run; nothing if all figures are decided, refused, or have `pairs_max` pairs. If the
  /// time is over, only blocks that have begun, and the first one of each tool, go on.
  std::optional<Turn> next(bool is_time_over);

  /// Takes the result of the run that next() returned. A figure that it does not have is refused.
  void add(const msg::MeasurementRun& run);
  /// That run failed: the figures of its tool are refused.
  void refuse(const std::string& reason);

  std::vector<msg::Figure> figures() const;
  /// Why no figure has a pair; empty if one has.
  std::string failure() const;

 private:
  struct Series {
    const msg::Tool* tool = nullptr;
    std::vector<msg::Figure> figures = {};
    std::size_t slot = 0;  // of the block
    std::size_t blocks = 0;
    bool is_ended = false;
    Side native = {};
    Side cluster = {};
    std::string native_boot_id = {};
    std::string cluster_boot_id = {};
  };

  Series& current() { return series_[current_]; }
  void end_block(Series& series);
  /// Keeps the side of the first run; returns why a later run differs from it.
  static std::string keep_side(Series& series, const msg::MeasurementRun& run, bool is_native);
  static void refuse(Series& series, const std::string& reason);
  static void refuse(msg::Figure& figure, const std::string& reason);

  Limits limits_;
  bool is_single_host_;
  std::vector<Series> series_ = {};
  std::size_t current_ = 0;
};

}  // namespace nucleus::overhead
