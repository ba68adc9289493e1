#include <fmt/format.h>

#include <memory>

#include "services/provisioner/driver/libvirt_domains.hpp"

namespace nucleus::provisioner {

namespace {

struct FreeStats {
  void operator()(virDomainStatsRecord** records) const { virDomainStatsRecordListFree(records); }
};
using StatsRecords = std::unique_ptr<virDomainStatsRecord*, FreeStats>;

/// The parameters of one domain, by name; 0 for one that is absent.
class Stats {
 public:
  explicit Stats(const virDomainStatsRecord& record) : record_{record} {}

  /// Without waiting for a busy domain, libvirt leaves out what QEMU would have to be asked for.
  bool has_all() const { return find("block.count") && find("cpu.time"); }
  DomainUsage usage() const {
    return {.uuid = uuid_of(record_.dom),
            .cpus = static_cast<std::uint32_t>(number("vcpu.current")),
            .cpu_ns = number("cpu.time"),
            .read_bytes = sum("block", "rd.bytes"),
            .written_bytes = sum("block", "wr.bytes"),
            .received_bytes = sum("net", "rx.bytes"),
            .sent_bytes = sum("net", "tx.bytes")};
  }

 private:
  const virTypedParameter* find(const std::string& name) const {
    for (int i = 0; i < record_.nparams; ++i)
      if (name == record_.params[i].field) return &record_.params[i];
    return nullptr;
  }
  std::uint64_t number(const std::string& name) const {
    const auto* param = find(name);
    if (param && param->type == VIR_TYPED_PARAM_ULLONG) return param->value.ul;
    if (param && param->type == VIR_TYPED_PARAM_UINT) return param->value.ui;
    return 0;
  }
  /// Over all devices of a group, such as `block`: the sum of each one's `name`.
  std::uint64_t sum(const std::string& group, const std::string& name) const {
    std::uint64_t all = 0;
    const auto count = number(group + ".count");
    for (std::uint64_t i = 0; i < count; ++i)
      all += number(fmt::format("{}.{}.{}", group, i, name));
    return all;
  }

  const virDomainStatsRecord& record_;
};

}  // namespace

core::Result<std::vector<DomainUsage>> usage_of_domains(virConnect* connection) {
  constexpr unsigned wanted = VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_VCPU |
                              VIR_DOMAIN_STATS_INTERFACE | VIR_DOMAIN_STATS_BLOCK;
  virDomainStatsRecord** found = nullptr;
  const int count = virConnectGetAllDomainStats(
      connection, wanted, &found,
      VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
  if (count < 0) return std::unexpected(libvirt_error());
  const StatsRecords records{found};
  std::vector<DomainUsage> usage;
  for (int i = 0; i < count; ++i)
    if (const Stats stats{*records.get()[i]}; stats.has_all()) usage.push_back(stats.usage());
  return usage;
}

}  // namespace nucleus::provisioner
