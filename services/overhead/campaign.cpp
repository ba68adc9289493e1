#include "services/overhead/campaign.hpp"

#include <algorithm>
#include <array>

#include "core/assert.hpp"
#include "services/overhead/statistics.hpp"

namespace nucleus::overhead {

namespace {

enum class Slot : std::uint8_t { native, cluster, noise };
constexpr std::array block{Slot::native, Slot::cluster, Slot::cluster,
                           Slot::native, Slot::noise,   Slot::noise};
constexpr std::size_t pairs_of_a_block = 2;

msg::Figure empty_figure(const msg::Measurement& row, const Limits& limits) {
  const bool is_latency = row.kind == msg::FigureKind::latency;
  const double threshold = is_latency                                 ? limits.latency_ratio_max
                           : row.kind == msg::FigureKind::application ? limits.application_ratio_max
                                                                      : limits.bandwidth_ratio_min;
  return {.measurement = std::string(row.name),
          .unit = std::string(row.unit),
          .direction = row.direction,
          .kind = row.kind,
          .half_width_max = is_latency ? limits.latency_half_width_max : limits.half_width_max,
          .threshold = threshold,
          .verdict = msg::Verdict::undecided};
}

/// The list of a figure that takes the value of this slot. The order within a noise pair alternates
/// as well.
std::vector<double>& samples_for(msg::Figure& figure, std::size_t slot, std::size_t blocks) {
  switch (block.at(slot)) {
    case Slot::native:
      return figure.native;
    case Slot::cluster:
      return figure.virtual_;
    case Slot::noise:
      break;
  }
  const bool is_first = (slot + blocks) % 2 == 0;
  return is_first ? figure.noise_first : figure.noise_second;
}

}  // namespace

Campaign::Campaign(Limits limits, bool is_single_host, const std::vector<std::string>& tool_names)
    : limits_{limits}, is_single_host_{is_single_host} {
  for (const auto& name : tool_names) {
    Series series{.tool = msg::find_tool(name)};
    NUCLEUS_ASSERT(series.tool);
    for (const auto& row : msg::measurements)
      if (row.tool == name) series.figures.push_back(empty_figure(row, limits_));
    series_.push_back(std::move(series));
  }
}

std::optional<Turn> Campaign::next(bool is_time_over) {
  const auto may_go_on = [&](const Series& series) {
    return !series.is_ended && (!is_time_over || series.slot != 0 || series.blocks == 0);
  };
  // A block that has begun goes on; else the tool with the fewest blocks is next.
  const auto begun = std::ranges::find_if(
      series_, [&](const Series& series) { return may_go_on(series) && series.slot != 0; });
  auto chosen = begun;
  if (begun == series_.end())
    for (auto each = series_.begin(); each != series_.end(); ++each)
      if (may_go_on(*each) && (chosen == series_.end() || each->blocks < chosen->blocks))
        chosen = each;
  if (chosen == series_.end()) return std::nullopt;
  current_ = static_cast<std::size_t>(chosen - series_.begin());
  return Turn{.tool = chosen->tool, .is_native = block.at(chosen->slot) != Slot::cluster};
}

void Campaign::add(const msg::MeasurementRun& run) {
  Series& series = current();
  const bool is_native = block.at(series.slot) != Slot::cluster;
  if (const auto changed = keep_side(series, run, is_native); !changed.empty())
    return refuse(series, changed);
  for (auto& figure : series.figures) {
    if (figure.verdict == msg::Verdict::refused) continue;
    const auto sample =
        std::ranges::find(run.samples, figure.measurement, &msg::Sample::measurement);
    if (sample == run.samples.end()) {
      refuse(figure, figure.measurement + " is missing: the program " +
                         (is_native ? "of the host" : "in the image") + " is older");
      continue;
    }
    samples_for(figure, series.slot, series.blocks).push_back(sample->value);
  }
  if (block.at(series.slot) == Slot::cluster) {
    const auto reason = refusal_of({.native = series.native,
                                    .cluster = series.cluster,
                                    .place = series.tool->place,
                                    .is_single_host = is_single_host_});
    if (!reason.empty()) return refuse(series, reason);
  }
  if (++series.slot == block.size()) end_block(series);
}

void Campaign::end_block(Series& series) {
  series.slot = 0;
  ++series.blocks;
  for (auto& figure : series.figures)
    if (figure.verdict != msg::Verdict::refused) judge(figure, limits_.pairs_max);
  series.is_ended = series.blocks * pairs_of_a_block >= limits_.pairs_max ||
                    std::ranges::none_of(series.figures, [](const msg::Figure& figure) {
                      return figure.verdict == msg::Verdict::undecided;
                    });
}

std::string Campaign::keep_side(Series& series, const msg::MeasurementRun& run, bool is_native) {
  Side& side = is_native ? series.native : series.cluster;
  auto& boot_id = is_native ? series.native_boot_id : series.cluster_boot_id;
  Side seen{.conditions = run.conditions, .ranks = run.ranks};
  const bool is_first = side.conditions.program.empty() && side.conditions.accelerator.empty();
  if (is_first) {
    side = std::move(seen);
    boot_id = run.boot_id;
    for (auto& figure : series.figures) {
      (is_native ? figure.native_conditions : figure.virtual_conditions) = side.conditions;
      (is_native ? figure.native_ranks : figure.virtual_ranks) = side.ranks;
    }
    return "";
  }
  const std::string whose = is_native ? "the host" : "the node";
  if (run.boot_id != boot_id) return whose + " was restarted during the measurement";
  if (!(seen.conditions == side.conditions) ||
      !std::ranges::equal(seen.ranks, side.ranks,
                          [](const auto& a, const auto& b) { return a == b; }))
    return "the conditions of " + whose + " changed during the measurement";
  return "";
}

void Campaign::refuse(const std::string& reason) {
  refuse(current(), reason);
}

void Campaign::refuse(Series& series, const std::string& reason) {
  series.is_ended = true;
  series.slot = 0;
  for (auto& figure : series.figures)
    if (figure.verdict != msg::Verdict::refused) refuse(figure, reason);
}

void Campaign::refuse(msg::Figure& figure, const std::string& reason) {
  figure.verdict = msg::Verdict::refused;
  figure.reason = reason;
  figure.ratio = {};
  figure.noise = {};
  figure.native_median = median_of(figure.native);
  figure.virtual_median = median_of(figure.virtual_);
}

std::vector<msg::Figure> Campaign::figures() const {
  std::vector<msg::Figure> all;
  for (const auto& series : series_) std::ranges::copy(series.figures, std::back_inserter(all));
  return all;
}

std::string Campaign::failure() const {
  std::string reason;
  for (const auto& series : series_)
    for (const auto& figure : series.figures) {
      if (figure.verdict != msg::Verdict::refused) return "";
      if (reason.empty()) reason = figure.reason;
    }
  return reason;
}

}  // namespace nucleus::overhead
