// What a probe prints comes from a guest and is untrusted: it is parsed without exceptions.
#include "services/provisioner/driver/probes.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/runtime/child_process.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;
using msg::Probe;
using Json = nlohmann::json;

namespace {

constexpr const char* guest_pingpong = "/usr/local/bin/nucleus-pingpong";
constexpr double bytes_per_mb = 1e6;

/// The same ranks, transport and sizes in the cluster and on the host, so that their ratio means
/// something.
std::vector<std::string> mpirun(const std::string& hosts, const std::string& program) {
  std::vector<std::string> argv = {"mpirun",
                                   "--allow-run-as-root",
                                   "--oversubscribe",
                                   "--bind-to",
                                   "none",
                                   "--mca",
                                   "btl",
                                   "tcp,self",
                                   "--mca",
                                   "pml",
                                   "ob1",
                                   "--mca",
                                   "plm_rsh_args",
                                   "-o StrictHostKeyChecking=no -o BatchMode=yes",
                                   "-np",
                                   "2"};
  if (!hosts.empty()) argv.insert(argv.end(), {"-H", hosts});
  argv.push_back(program);
  return argv;
}

std::vector<std::string> fio(const std::string& file) {
  return {"fio",        "--name=nucleus",   "--filename=" + file, "--rw=randread",
          "--bs=4k",    "--size=64M",       "--runtime=3",        "--time_based",
          "--direct=1", "--ioengine=psync", "--unlink=1",         "--output-format=json"};
}

/// Ends the command in the guest at its deadline: the agent cannot kill what it has started.
std::vector<std::string> in_guest(std::vector<std::string> argv,
                                  std::chrono::milliseconds deadline) {
  argv.front() = "/usr/bin/" + argv.front();
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(deadline).count();
  argv.insert(argv.begin(), {"/usr/bin/timeout", "--kill-after=2", std::to_string(seconds)});
  return argv;
}

core::Result<msg::ProbeResult> parsed(Probe probe, const std::string& output) {
  return probe == Probe::mpi_pingpong ? parse_pingpong(output) : parse_fio(output);
}

/// The first JSON object in the output; null if there is none.
Json json_in(const std::string& output) {
  const auto start = output.find('{');
  if (start == std::string::npos) return nullptr;
  return Json::parse(output.substr(start), nullptr, false);
}

/// The member; null if it is absent or `object` is not an object.
const Json& member(const Json& object, const char* key) {
  static const Json null;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : null;
}

std::optional<double> figure(const Json& value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

/// A guest prints what it wants.
core::Result<msg::ProbeResult> checked(msg::ProbeResult result) {
  if (const auto broken = msg::check(result))
    return core::refuse(ErrorCode::internal, "the probe printed no figures: " + broken->detail);
  return result;
}

}  // namespace

core::Result<msg::ProbeResult> run_node_probe(Hypervisor& hypervisor, const std::string& domain,
                                              Probe probe, const std::vector<msg::Peer>& peers,
                                              std::chrono::milliseconds deadline) {
  GuestCommand command{.deadline = deadline};
  switch (probe) {
    case Probe::ping:
      command.argv = {"/bin/true"};
      break;
    case Probe::mpi_pingpong:
      if (peers.size() != 2 || !msg::is_name(peers[0].name) || !msg::is_name(peers[1].name))
        return std::unexpected(msg::invalid("peers", "peers must name the two nodes"));
      command.argv =
          in_guest(mpirun(peers[0].name + "," + peers[1].name, guest_pingpong), deadline);
      break;
    case Probe::fio_random_read:
      command.argv = in_guest(fio("/var/tmp/nucleus-fio"), deadline);
      break;
    case Probe::unknown:
      return std::unexpected(msg::invalid("probe", "unknown probe"));
  }
  auto ran = hypervisor.run_in_guest(domain, command);
  if (!ran) return std::unexpected(ran.error());
  if (!core::is_success(ran->end))
    return core::refuse(ErrorCode::internal, "the probe failed in the guest (" +
                                                 core::shown(ran->end) +
                                                 "): " + msg::shown(ran->errors));
  if (probe == Probe::ping) return msg::ProbeResult{};
  return parsed(probe, ran->output);
}

core::Result<msg::ProbeResult> run_host_probe(Probe probe, const std::string& pingpong_program,
                                              const std::string& directory,
                                              std::chrono::milliseconds deadline) {
  core::ChildCommand command{.deadline = deadline};
  switch (probe) {
    case Probe::ping:
      return msg::ProbeResult{};
    case Probe::mpi_pingpong:
      if (pingpong_program.empty())
        return core::refuse(ErrorCode::wrong_state, "provisioner.pingpong_program is not set");
      command.argv = mpirun("", pingpong_program);
      break;
    case Probe::fio_random_read:
      command.argv = fio(directory + "/nucleus-fio");
      break;
    case Probe::unknown:
      return std::unexpected(msg::invalid("probe", "unknown probe"));
  }
  auto output = core::must_run_child(command);
  if (!output) return std::unexpected(output.error());
  return parsed(probe, *output);
}

core::Result<msg::ProbeResult> parse_pingpong(const std::string& output) {
  const Json json = json_in(output);
  const auto latency_us = figure(member(json, "latency_us"));
  const auto bandwidth_mb_s = figure(member(json, "bandwidth_mb_s"));
  const Json& hosts = member(json, "hosts");
  if (!hosts.is_array() || !latency_us || !bandwidth_mb_s)
    return core::refuse(ErrorCode::internal, "the MPI probe printed no figures");
  msg::ProbeResult result{.latency_us = *latency_us, .bandwidth_mb_s = *bandwidth_mb_s};
  for (const auto& host : hosts)
    if (host.is_string() && result.hosts.size() < msg::probe_ranks_max)
      result.hosts.push_back(msg::shown(host.get<std::string>()));
  return checked(std::move(result));
}

core::Result<msg::ProbeResult> parse_fio(const std::string& output) {
  const Json json = json_in(output);
  const Json& jobs = member(json, "jobs");
  if (jobs.is_array() && !jobs.empty()) {
    const Json& read = member(jobs[0], "read");
    const auto operations_per_s = figure(member(read, "iops"));
    const auto bytes_per_s = figure(member(read, "bw_bytes"));
    if (operations_per_s)
      return checked({.bandwidth_mb_s = bytes_per_s.value_or(0) / bytes_per_mb,
                      .operations_per_s = *operations_per_s});
  }
  return core::refuse(ErrorCode::internal, "fio printed no figures");
}

}  // namespace nucleus::provisioner
