#include "services/provisioner/usage_watch.hpp"

#include <array>

namespace nucleus::provisioner {

namespace {

constexpr std::int64_t idle_ms_min = 10'000;  // a shorter pause is not reported

/// A counter of the driver that has a series for each node.
struct Counted {
  const char* name;
  const char* help;
  std::uint64_t DomainUsage::*value;
  double unit;  // of the series, in the driver's
};

constexpr std::array counted{
    Counted{"nucleus_provisioner_node_cpu_seconds_total",
            "Processor time of the host that a node used.", &DomainUsage::cpu_ns, 1e9},
    Counted{"nucleus_provisioner_node_read_bytes_total", "Bytes that a node read from its disks.",
            &DomainUsage::read_bytes, 1},
    Counted{"nucleus_provisioner_node_written_bytes_total", "Bytes that a node wrote to its disks.",
            &DomainUsage::written_bytes, 1},
    Counted{"nucleus_provisioner_node_received_bytes_total", "Bytes that a node's ports received.",
            &DomainUsage::received_bytes, 1},
    Counted{"nucleus_provisioner_node_sent_bytes_total", "Bytes that a node's ports sent.",
            &DomainUsage::sent_bytes, 1},
};

}  // namespace

UsageWatch::UsageWatch(const Sources& sources)
    : sources_{sources},
      activity_{{.cpu_share = static_cast<double>(sources.config.idle_cpu_percent) / 100,
                 .bytes_per_s = sources.config.idle_bytes_per_s}} {
  for (const auto& each : counted)
    families_.push_back(&core::counter_family(sources_.registry, each.name, each.help));
}

UsageWatch::~UsageWatch() {
  *self_ = nullptr;
  for (auto& [uuid, series] : series_) remove(series);
}

void UsageWatch::look() {
  if (is_looking_) return;
  is_looking_ = true;
  sources_.workers.submit([self = self_, &loop = sources_.loop, hypervisor = sources_.hypervisor] {
    auto usage = hypervisor->usage();
    loop.post([self, usage = std::move(usage)] {
      if (!*self) return;
      (*self)->is_looking_ = false;
      if (usage) (*self)->take(*usage);
    });
  });
}

void UsageWatch::take(const std::vector<DomainUsage>& usage) {
  activity_.take(usage, sources_.loop.steady_ms());
  for (auto each = series_.begin(); each != series_.end();) {
    const bool has_grant = sources_.grants.find_by_uuid(each->first) != nullptr;
    if (!has_grant) remove(each->second);
    each = has_grant ? std::next(each) : series_.erase(each);
  }
  for (const auto& one : usage)
    if (const auto* stored = sources_.grants.find_by_uuid(one.uuid)) count(*stored, one);
}

void UsageWatch::count(const StoredGrant& stored, const DomainUsage& usage) {
  auto [found, is_new] = series_.try_emplace(usage.uuid);
  auto& series = found->second;
  for (std::size_t i = 0; i < counted.size(); ++i) {
    if (is_new)
      series.counters.push_back(&families_[i]->Add(
          {{"cluster", stored.grant.cluster_id.value}, {"node", stored.grant.node_name}}));
    const auto value = usage.*counted[i].value;
    const auto before = series.last.*counted[i].value;
    const auto more = value < before ? value : value - before;  // it was started again
    if (!is_new) series.counters[i]->Increment(static_cast<double>(more) / counted[i].unit);
  }
  series.last = usage;
}

void UsageWatch::remove(Series& series) {
  for (std::size_t i = 0; i < series.counters.size(); ++i) families_[i]->Remove(series.counters[i]);
}

std::vector<msg::IdleNode> UsageWatch::idle_nodes(const msg::HostId& host_id) const {
  std::vector<msg::IdleNode> idle;
  const auto now_ms = sources_.loop.steady_ms();
  for (const auto& [uuid, series] : series_) {
    const auto* stored = sources_.grants.find_by_uuid(uuid);
    const auto since_ms = activity_.idle_since_ms(uuid);
    if (!stored || stored->host_id != host_id || !since_ms || now_ms - *since_ms < idle_ms_min ||
        idle.size() >= msg::idle_nodes_max)
      continue;
    idle.push_back({.node_id = stored->grant.node_id,
                    .epoch = stored->grant.epoch,
                    .idle_s = (now_ms - *since_ms) / 1000});
  }
  return idle;
}

}  // namespace nucleus::provisioner
