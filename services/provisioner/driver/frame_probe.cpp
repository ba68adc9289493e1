#include "services/provisioner/driver/frame_probe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>

namespace nucleus::provisioner {

namespace {

constexpr std::string_view foreign_mac = "024e55434c58";  // locally administered: no card has it
constexpr std::string_view magic = "nucleus-isolation";
constexpr std::uint16_t vlan_max = 4094;

std::string hex_of(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes)
    text += fmt::format("{:02x}", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  return text;
}

std::string hex_of_mac(std::string_view mac) {
  std::string text(mac);
  std::erase(text, ':');
  return text;
}

std::string payload_of(std::uint64_t nonce) {
  return hex_of(magic) + fmt::format("{:016x}", nonce);
}

/// Of an IPv4 header whose checksum field is 0.
std::uint16_t header_checksum(std::string_view hex) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 4 <= hex.size(); i += 4) {
    std::uint32_t word = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 4, word, 16);
    sum += word;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::string hex_of_ip(std::string_view ip) {
  std::string text;
  while (!ip.empty()) {
    const auto part = ip.substr(0, ip.find('.'));
    ip.remove_prefix(std::min(ip.size(), part.size() + 1));
    unsigned octet = 0;
    std::from_chars(part.data(), part.data() + part.size(), octet);
    text += fmt::format("{:02x}", octet & 0xff);
  }
  return text;
}

/// IPv4 with the protocol number for experiments, to an address for documentation (RFC 5737).
std::string ipv4_packet(std::string_view source, const std::string& payload) {
  const auto length = 20 + payload.size() / 2;
  const auto header = [&](std::uint16_t checksum) {
    return fmt::format("4500{:04x}0000000001fd{:04x}{}c0000201", length, checksum,
                       hex_of_ip(source));
  };
  return header(header_checksum(header(0))) + payload;
}

std::string frame_of(ProbeKind kind, const PortSpec& spec, std::uint16_t foreign_vlan,
                     std::uint64_t nonce) {
  const auto probe_mac = fmt::format("024e{:08x}", nonce >> 32);
  const auto own = hex_of_mac(spec.mac);
  const auto payload = payload_of(nonce);
  // A public port may send only IP and ARP as itself; 0x88b5 is an ethertype for experiments.
  const auto content =
      spec.guarded_ip.empty() ? "88b5" + payload : "0800" + ipv4_packet(spec.guarded_ip, payload);
  std::string frame = probe_mac;
  frame += kind == ProbeKind::foreign_mac ? std::string(foreign_mac) : own;
  if (kind == ProbeKind::foreign_tag) frame += fmt::format("8100{:04x}", foreign_vlan);
  if (kind == ProbeKind::priority_tag) frame += "8100e000";
  frame += content;
  frame.resize(std::max<std::size_t>(frame.size(), 120), '0');  // 60 bytes: the least on Ethernet
  return frame;
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                    static_cast<unsigned char>(bytes[at + 1]));
}

std::string tag_shown(std::uint16_t vlan) {
  return vlan == 0 ? "untagged" : "with tag " + std::to_string(vlan);
}

/// Whether a port may pass on a frame of this VLAN, as a frame with this tag.
bool may_receive(const SwitchPort& port, const BridgeLayout& layout, std::uint16_t vlan,
                 std::uint16_t tag) {
  if (!port.tag.empty()) return port.tag == std::to_string(vlan) && tag == 0;
  return is_uplink(layout, port.name) && tag == vlan;
}

/// As what a fault of a frame that must be dropped is reported.
std::string passed(ProbeKind kind) {
  if (kind == ProbeKind::foreign_mac) return "a frame from a foreign MAC";
  return kind == ProbeKind::foreign_tag ? "a frame with a foreign tag"
                                        : "a frame with a priority tag";
}

class Judge {
 public:
  Judge(const std::vector<FrameProbe>& probes, const std::vector<Sighting>& sightings,
        const std::vector<SwitchPort>& switch_ports, const std::vector<PortSpec>& ports,
        const BridgeLayout& layout)
      : probes_{probes}, switch_ports_{switch_ports}, ports_{ports}, layout_{layout} {
    for (const auto& sighting : sightings) by_nonce_[sighting.nonce].push_back(sighting);
  }

  ProbeJudgement judge() {
    for (const auto& probe : probes_) {
      if (probe.kind == ProbeKind::marker && seen_at(probe.nonce, probe.port))
        judgement_.probed.push_back(probe.port);
    }
    for (const auto& probe : probes_) {
      if (probe.kind == ProbeKind::marker || !is_probed(probe.port)) continue;
      if (probe.kind == ProbeKind::own)
        judge_own(probe);
      else if (const auto found = by_nonce_.find(probe.nonce); found != by_nonce_.end())
        add(probe.port, passed(probe.kind) + " was forwarded to " + found->second.front().interface,
            true);
    }
    return std::move(judgement_);
  }

 private:
  bool is_probed(const std::string& port) const {
    return std::ranges::find(judgement_.probed, port) != judgement_.probed.end();
  }

  bool seen_at(std::uint64_t nonce, const std::string& interface) const {
    const auto found = by_nonce_.find(nonce);
    return found != by_nonce_.end() &&
           std::ranges::find(found->second, interface, &Sighting::interface) != found->second.end();
  }

  void add(const std::string& port, std::string reason, bool is_quarantined) {
    judgement_.faults.push_back({.port = port,
                                 .reason = std::move(reason),
                                 .is_quarantined = is_quarantined,
                                 .may_pass = !is_quarantined});
  }

  void judge_own(const FrameProbe& probe) {
    if (const auto found = by_nonce_.find(probe.nonce); found != by_nonce_.end())
      for (const auto& sighting : found->second) judge_arrival(probe, sighting);
    for (const auto& spec : ports_) {
      if (spec.vlan != probe.vlan || spec.device == probe.port) continue;
      const auto port = std::ranges::find(switch_ports_, spec.device, &SwitchPort::name);
      if (port == switch_ports_.end() || !port->has_link || port->is_closed) continue;
      if (!seen_at(probe.nonce, spec.device))
        add(probe.port, "its frames do not reach " + spec.device, false);
    }
  }

  /// Whoever receives too much is closed. An uplink is not: the sender is.
  void judge_arrival(const FrameProbe& probe, const Sighting& sighting) {
    const auto port = std::ranges::find(switch_ports_, sighting.interface, &SwitchPort::name);
    if (port == switch_ports_.end()) return;  // an interface of the host behind an uplink
    if (may_receive(*port, layout_, probe.vlan, sighting.vlan)) return;
    const auto what =
        fmt::format("a frame of VLAN {} was forwarded {}", probe.vlan, tag_shown(sighting.vlan));
    if (is_uplink(layout_, port->name))
      add(probe.port, what + " to " + port->name, true);
    else
      add(port->name, what + " to it", true);
  }

  const std::vector<FrameProbe>& probes_;
  const std::vector<SwitchPort>& switch_ports_;
  const std::vector<PortSpec>& ports_;
  const BridgeLayout& layout_;
  std::map<std::uint64_t, std::vector<Sighting>> by_nonce_ = {};
  ProbeJudgement judgement_ = {};
};

}  // namespace

std::vector<FrameProbe> plan_probes(const SwitchPort& port, const PortSpec& spec,
                                    std::uint16_t foreign_vlan, ProbeRun& run) {
  if (foreign_vlan == 0 || foreign_vlan == spec.vlan)
    foreign_vlan = static_cast<std::uint16_t>(spec.vlan % vlan_max + 1);
  std::vector<FrameProbe> probes;
  for (const auto kind : {ProbeKind::foreign_tag, ProbeKind::priority_tag, ProbeKind::foreign_mac,
                          ProbeKind::own, ProbeKind::marker}) {
    const auto nonce = std::uint64_t{run.id} << 32 | run.probe_count++;
    probes.push_back({.port = port.name,
                      .number = port.number,
                      .vlan = spec.vlan,
                      .kind = kind,
                      .nonce = nonce,
                      .frame = frame_of(kind, spec, foreign_vlan, nonce)});
  }
  return probes;
}

std::string plan_bundle(const std::vector<FrameProbe>& probes) {
  std::string lines;
  const auto add = [&](const FrameProbe& probe) {
    if (probe.kind == ProbeKind::marker)
      lines += fmt::format("packet-out in_port=CONTROLLER,packet={},actions=output:{}\n",
                           probe.frame, probe.number);
    else
      lines +=
          fmt::format("packet-out in_port={},packet={},actions=TABLE\n", probe.number, probe.frame);
  };
  for (const auto& probe : probes)
    if (probe.kind != ProbeKind::marker) add(probe);
  for (const auto& probe : probes)
    if (probe.kind == ProbeKind::marker) add(probe);
  return lines;
}

ProbeJudgement judge_sightings(const std::vector<FrameProbe>& probes,
                               const std::vector<Sighting>& sightings,
                               const std::vector<SwitchPort>& switch_ports,
                               const std::vector<PortSpec>& ports, const BridgeLayout& layout) {
  return Judge(probes, sightings, switch_ports, ports, layout).judge();
}

std::optional<Sighting> parse_sighting(std::string_view frame, std::uint16_t tag) {
  if (frame.size() < 18) return std::nullopt;
  const auto ethertype = number_at(frame, 12);
  if (tag == 0 && (ethertype == 0x8100 || ethertype == 0x88a8)) tag = number_at(frame, 14) & 0xfff;
  const auto at = frame.find(magic);
  if (at == frame.npos || frame.size() < at + magic.size() + 8) return std::nullopt;
  std::uint64_t nonce = 0;
  for (const char byte : frame.substr(at + magic.size(), 8))
    nonce = nonce << 8 | static_cast<unsigned char>(byte);
  return Sighting{.nonce = nonce, .vlan = tag};
}

}  // namespace nucleus::provisioner
