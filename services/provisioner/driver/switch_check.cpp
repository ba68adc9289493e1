#include "services/provisioner/driver/switch_check.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "core/runtime/child_process.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::chrono::milliseconds switch_timeout{5'000};
constexpr std::int64_t quarantine_hold_ms = 10'000;  // after the last fault
constexpr std::int64_t probe_interval_ms = 20'000;   // of one port
constexpr std::size_t probed_at_once_min = 8;        // ports in one pass
constexpr std::size_t passes_for_all = 3;            // after which each port was probed
constexpr std::size_t ports_per_bundle = 64;
constexpr std::int64_t capture_wait_ms = 300;

core::Result<std::string> run(std::vector<std::string> argv) {
  return core::must_run_child({.argv = std::move(argv), .deadline = switch_timeout});
}

core::Result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  if (file.flush()) return {};
  return core::refuse(core::ErrorCode::unavailable, "cannot write " + path);
}

bool has_marker_of_each(const std::vector<FrameProbe>& probes,
                        const std::vector<Sighting>& sightings) {
  return std::ranges::all_of(probes, [&](const FrameProbe& probe) {
    return probe.kind != ProbeKind::marker ||
           std::ranges::find(sightings, probe.nonce, &Sighting::nonce) != sightings.end();
  });
}

const PortSpec* spec_of(const std::vector<PortSpec>& ports, const std::string& device) {
  const auto found = std::ranges::find(ports, device, &PortSpec::device);
  return found == ports.end() ? nullptr : &*found;
}

/// A VLAN of other nodes here; 0 = there is none.
std::uint16_t other_vlan(const std::vector<PortSpec>& ports, std::uint16_t vlan) {
  const auto other =
      std::ranges::find_if(ports, [&](const PortSpec& port) { return port.vlan != vlan; });
  return other == ports.end() ? std::uint16_t{0} : other->vlan;
}

}  // namespace

SwitchGuard::SwitchGuard(SwitchGuardOptions options) : options_{std::move(options)} {
  if (!options_.switch_directory.empty())
    watch_ = std::make_unique<SwitchWatch>(SwitchWatch::Options{
        .run_directory = options_.switch_directory, .bridge = options_.layout.bridge});
}

core::Result<SwitchCheck> SwitchGuard::check(const Job& job) {
  SwitchCheck check;
  const auto listed = read_ports(check);
  if (!listed) return std::unexpected(listed.error());
  const auto& switch_ports = *listed;
  auto& faults = check.faults;
  std::ranges::move(judge_ports(switch_ports, job.ports, options_.layout),
                    std::back_inserter(faults));
  const auto are_fragments_matched = check_fragments(job);
  if (!are_fragments_matched) return std::unexpected(are_fragments_matched.error());
  auto changed = differences();
  if (!changed) return std::unexpected(changed.error());
  const auto flow_count = static_cast<std::size_t>(std::ranges::count(applied_, '\n'));
  if (!*are_fragments_matched) {
    if (!has_forgotten_flows(*changed, flow_count))
      faults.push_back({.reason = "the bridge did not compare fragments with its flows"});
    if (auto set = match_fragments(); !set) return std::unexpected(set.error());
  }
  std::ranges::move(judge_flows(*changed, flow_count, switch_ports), std::back_inserter(faults));
  if (!job.is_complete)
    std::erase_if(faults, [](const PortFault& fault) { return fault.may_pass; });
  keep_repeated(faults);
  hold(faults, switch_ports, job.now_ms);

  const auto flows = plan_flows(switch_ports, job.ports, options_.layout, quarantined());
  if (flows != applied_ || !changed->empty() || job.is_complete != is_applied_complete_)
    if (auto done = apply(flows, job.is_complete); !done) return std::unexpected(done.error());
  if (auto done = close_and_open(switch_ports); !done) return std::unexpected(done.error());
  if (auto probed = probe(switch_ports, job, check); !probed)
    check.not_probed = probed.error().detail;

  check.is_complete = job.is_complete;
  check.faults.clear();
  for (const auto& [port, held] : held_) check.faults.push_back(held.fault);
  check.oldest_probe_ms = job.now_ms;
  for (const auto& port : switch_ports) {
    if (!spec_of(job.ports, port.name)) continue;
    ++check.port_count;
  }
  for (const auto& [port, probed_ms] : probed_ms_)
    check.oldest_probe_ms = std::min(check.oldest_probe_ms, probed_ms);
  check.is_settled = check.is_complete && check.not_probed.empty() && held_.empty() &&
                     suspected_.empty() && unprobed_.empty() && unreached_.empty();
  return check;
}

core::Result<std::vector<SwitchPort>> SwitchGuard::read_ports(SwitchCheck& check) {
  const auto& bridge = options_.layout.bridge;
  const auto described = run({"ovs-ofctl", "-O", "OpenFlow13", "dump-ports-desc", bridge});
  if (!described) return std::unexpected(described.error());
  // After the list of ports: libvirt adds a port and its VLAN at once.
  auto shown = run({"ovs-vsctl", "--timeout=5", "--format=csv", "--data=bare", "--no-headings",
                    "get", "bridge", bridge, "fail_mode", "controller", "mirrors", "flood_vlans",
                    "--", "--columns=name,tag,trunks,vlan_mode", "list", "port"});
  if (!shown) return std::unexpected(shown.error());
  const auto settings = parse_bridge_settings(*shown);
  if (!settings)
    return core::refuse(core::ErrorCode::internal, "ovs-vsctl get printed something unknown");
  check.faults = judge_bridge(*settings);
  if (settings->fail_mode != "secure") {
    const auto set = run({"ovs-vsctl", "--timeout=5", "set", "bridge", bridge, "fail_mode=secure"});
    if (!set) return std::unexpected(set.error());
    if (is_secure_)
      check.faults.push_back({.reason = "the bridge forwarded frames without a flow"});
  }
  is_secure_ = true;
  auto ports = parse_switch_ports(*described);
  add_vlans(ports, *shown);
  return ports;
}

/// By default the switch sees no port in the first fragment either: a DHCP reply in fragments would
/// pass.
core::Result<void> SwitchGuard::match_fragments() const {
  const auto set =
      run({"ovs-ofctl", "-O", "OpenFlow13", "set-frags", options_.layout.bridge, "nx-match"});
  if (!set) return std::unexpected(set.error());
  return {};
}

core::Result<bool> SwitchGuard::check_fragments(const Job& job) {
  if (applied_.empty() || job.now_ms - fragments_checked_ms_ < probe_interval_ms) return true;
  fragments_checked_ms_ = job.now_ms;
  const auto read = run({"ovs-ofctl", "-O", "OpenFlow13", "get-frags", options_.layout.bridge});
  if (!read) return std::unexpected(read.error());
  return read->starts_with("nx-match");
}

core::Result<std::string> SwitchGuard::differences() const {
  if (applied_.empty() || !is_applied_complete_) return std::string{};
  const auto compared = core::run_child({.argv = {"ovs-ofctl", "-O", "OpenFlow13", "diff-flows",
                                                  options_.flows_file, options_.layout.bridge},
                                         .deadline = switch_timeout});
  if (!compared) return std::unexpected(compared.error());
  constexpr int differ = 2;
  if (compared->end == core::exited(0)) return std::string{};
  if (compared->end == core::exited(differ)) return compared->output;
  return core::refuse(core::ErrorCode::unavailable,
                      "ovs-ofctl diff-flows: " + compared->errors.substr(0, 100));
}

core::Result<void> SwitchGuard::apply(const std::string& flows, bool is_complete) {
  applied_.clear();
  // A switch that restarted has forgotten it, as its flows.
  if (auto set = match_fragments(); !set) return set;
  if (auto written = write_file(options_.flows_file, flows); !written) return written;
  const auto taken =
      run({"ovs-ofctl", "-O", "OpenFlow13", "--bundle", is_complete ? "replace-flows" : "add-flows",
           options_.layout.bridge, options_.flows_file});
  if (!taken) return std::unexpected(taken.error());
  applied_ = flows;
  is_applied_complete_ = is_complete;
  const auto left = differences();
  if (!left) return std::unexpected(left.error());
  if (left->empty()) return {};
  applied_.clear();
  return core::refuse(core::ErrorCode::unavailable, "the switch has other flows than it was given");
}

void SwitchGuard::keep_repeated(std::vector<PortFault>& faults) {
  std::set<std::string> suspected;
  std::erase_if(faults, [&](const PortFault& fault) {
    if (!fault.may_pass) return false;
    suspected.insert(fault.port + ' ' + fault.reason);
    return !suspected_.contains(fault.port + ' ' + fault.reason);
  });
  suspected_ = std::move(suspected);
}

void SwitchGuard::hold(const std::vector<PortFault>& faults,
                       const std::vector<SwitchPort>& switch_ports, std::int64_t now_ms) {
  for (const auto& fault : faults) {
    auto& held = held_[fault.port];
    if (held.seen_ms == now_ms && held.fault.is_quarantined) continue;
    held = {.fault = fault, .seen_ms = now_ms};
  }
  std::erase_if(held_, [&](const auto& entry) {
    const auto& [port, held] = entry;
    const bool is_gone =
        !port.empty() &&
        std::ranges::find(switch_ports, port, &SwitchPort::name) == switch_ports.end();
    const bool is_over = is_gone || now_ms - held.seen_ms > quarantine_hold_ms;
    return is_over;
  });
}

std::set<std::string> SwitchGuard::quarantined() const {
  std::set<std::string> ports;
  for (const auto& [port, held] : held_)
    if (held.fault.is_quarantined) ports.insert(port);
  return ports;
}

core::Result<void> SwitchGuard::close_and_open(const std::vector<SwitchPort>& switch_ports) const {
  const auto closed = quarantined();
  for (const auto& port : switch_ports) {
    if (closed.contains(port.name) == port.is_closed) continue;
    for (const char* way : {"receive", "forward"}) {
      const auto set = run({"ovs-ofctl", "-O", "OpenFlow13", "mod-port", options_.layout.bridge,
                            port.number, (port.is_closed ? "" : "no-") + std::string(way)});
      if (!set) return std::unexpected(set.error());
    }
  }
  return {};
}

/// Nothing passes a port without a link, or a closed one.
bool SwitchGuard::is_probed(const SwitchPort& port) const {
  const auto held = held_.find(port.name);
  return port.has_link && (held == held_.end() || !held->second.fault.is_quarantined);
}

void SwitchGuard::add_unprobed(const std::vector<SwitchPort>& switch_ports, const Job& job) {
  std::map<std::string, std::int64_t> known;
  for (const auto& port : switch_ports) {
    if (!spec_of(job.ports, port.name) || !is_probed(port)) continue;
    const auto before = probed_ms_.find(port.name);
    if (before == probed_ms_.end()) unprobed_.insert(port.name);
    known[port.name] = before == probed_ms_.end() ? job.now_ms : before->second;
  }
  probed_ms_ = std::move(known);
  std::erase_if(unprobed_, [&](const auto& port) { return !probed_ms_.contains(port); });
}

std::vector<const SwitchPort*> SwitchGuard::due_ports(const std::vector<SwitchPort>& switch_ports,
                                                      const Job& job) const {
  std::vector<std::pair<std::int64_t, const SwitchPort*>> due;
  std::size_t new_count = 0;
  for (const auto& port : switch_ports) {
    if (!spec_of(job.ports, port.name) || !is_probed(port)) continue;
    const bool is_new = unprobed_.contains(port.name);
    const std::int64_t last_ms = is_new ? 0 : probed_ms_.at(port.name);
    if (is_new) ++new_count;
    if (job.must_probe_all || is_new || job.now_ms - last_ms >= probe_interval_ms)
      due.emplace_back(last_ms, &port);
  }
  std::ranges::sort(due);
  const auto at_once =
      new_count + std::max(probed_at_once_min, switch_ports.size() / passes_for_all + 1);
  if (!job.must_probe_all && due.size() > at_once) due.resize(at_once);
  std::vector<const SwitchPort*> ports;
  for (const auto& [last_ms, port] : due) ports.push_back(port);
  return ports;
}

core::Result<void> SwitchGuard::probe(const std::vector<SwitchPort>& switch_ports, const Job& job,
                                      SwitchCheck& check) {
  add_unprobed(switch_ports, job);
  const auto due = due_ports(switch_ports, job);
  ProbeRun run{.id = job.random};
  for (std::size_t begin = 0; begin < due.size(); begin += ports_per_bundle) {
    const auto end = std::min(due.size(), begin + ports_per_bundle);
    std::vector<FrameProbe> probes;
    for (auto i = begin; i < end; ++i) {
      const auto& spec = *spec_of(job.ports, due[i]->name);
      std::ranges::move(plan_probes(*due[i], spec, other_vlan(job.ports, spec.vlan), run),
                        std::back_inserter(probes));
    }
    if (auto sent = send_probes(probes, run, switch_ports, job); !sent) return sent;
    for (auto i = begin; i < end; ++i)
      if (probed_ms_.at(due[i]->name) != job.now_ms || unprobed_.contains(due[i]->name))
        check.not_probed = "no frame was captured at " + due[i]->name;
  }
  return {};
}

core::Result<void> SwitchGuard::send_probes(const std::vector<FrameProbe>& probes,
                                            const ProbeRun& probe_run,
                                            const std::vector<SwitchPort>& switch_ports,
                                            const Job& job) {
  const std::string file = options_.flows_file + ".probes";
  if (auto written = write_file(file, plan_bundle(probes)); !written) return written;
  auto capture = FrameCapture::open(options_.network_namespace, probe_run);
  if (!capture) return std::unexpected(capture.error());
  const auto sent = run({"ovs-ofctl", "-O", "OpenFlow14", "bundle", options_.layout.bridge, file});
  if (!sent) return std::unexpected(sent.error());
  const auto sightings = capture->collect(
      [&](const auto& seen) { return has_marker_of_each(probes, seen); }, capture_wait_ms);
  auto judgement = judge_sightings(probes, sightings, switch_ports, job.ports, options_.layout);
  for (const auto& port : judgement.probed) {
    probed_ms_[port] = job.now_ms;
    unprobed_.erase(port);
  }
  keep_unreached(judgement);
  hold(judgement.faults, switch_ports, job.now_ms);
  if (std::ranges::none_of(judgement.faults, &PortFault::is_quarantined)) return {};
  const auto flows = plan_flows(switch_ports, job.ports, options_.layout, quarantined());
  if (auto done = apply(flows, job.is_complete); !done) return done;
  return close_and_open(switch_ports);
}

/// A port that was just removed is reached by no frame: only the second time it is a fault.
void SwitchGuard::keep_unreached(ProbeJudgement& judgement) {
  std::map<std::string, std::set<std::string>> before;
  for (const auto& port : judgement.probed) before[port] = std::exchange(unreached_[port], {});
  std::erase_if(judgement.faults, [&](const PortFault& fault) {
    if (!fault.may_pass) return false;
    unreached_[fault.port].insert(fault.reason);
    if (before[fault.port].contains(fault.reason)) return false;
    unprobed_.insert(fault.port);  // again in the next pass
    return true;
  });
}

}  // namespace nucleus::provisioner
