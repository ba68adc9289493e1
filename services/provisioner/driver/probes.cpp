#include "services/provisioner/driver/probes.hpp"

#include <nlohmann/json.hpp>

#include "core/runtime/child_process.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;
using msg::Probe;

namespace {

constexpr const char* guest_pingpong = "/usr/local/bin/nucleus-pingpong";

/// The same ranks, transport and sizes in the cluster and on the host, so that the ratio compares
/// like with like.
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

/// Nobody waits for a command after its deadline, and the guest must not go on with it: the agent
/// cannot end what it began.
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

nlohmann::json json_in(const std::string& output) {
  const auto start = output.find('{');
  if (start == std::string::npos) return nullptr;
  return nlohmann::json::parse(output.substr(start), nullptr, false);
}

}  // namespace

core::Result<msg::ProbeResult> run_node_probe(Hypervisor& hypervisor, const std::string& domain,
                                              Probe probe, const std::vector<msg::Peer>& peers,
                                              std::chrono::milliseconds deadline) {
  GuestCommand command{.deadline = deadline};
  switch (probe) {
    case Probe::answer:
      command.argv = {"/bin/true"};
      break;
    case Probe::mpi_pingpong:
      if (peers.size() != 2 || !msg::is_name(peers[0].name) || !msg::is_name(peers[1].name))
        return std::unexpected(msg::invalid("peers", "peers must be the two nodes"));
      command.argv =
          in_guest(mpirun(peers[0].name + "," + peers[1].name, guest_pingpong), deadline);
      break;
    case Probe::fio_random_read:
      command.argv = in_guest(fio("/var/tmp/nucleus-fio"), deadline);
      break;
    case Probe::unknown:
      return std::unexpected(msg::invalid("probe", "no such probe"));
  }
  auto ran = hypervisor.run_in_guest(domain, command);
  if (!ran) return std::unexpected(ran.error());
  if (!core::is_success(ran->end))
    return core::refuse(ErrorCode::internal, "the probe failed in the guest (" +
                                                 core::shown(ran->end) +
                                                 "): " + msg::shown(ran->errors));
  if (probe == Probe::answer) return msg::ProbeResult{};
  return parsed(probe, ran->output);
}

core::Result<msg::ProbeResult> run_host_probe(Probe probe, const std::string& pingpong_program,
                                              const std::string& directory,
                                              std::chrono::milliseconds deadline) {
  core::ChildCommand command{.deadline = deadline};
  switch (probe) {
    case Probe::answer:
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
      return std::unexpected(msg::invalid("probe", "no such probe"));
  }
  auto output = core::must_run_child(command);
  if (!output) return std::unexpected(output.error());
  return parsed(probe, *output);
}

core::Result<msg::ProbeResult> parse_pingpong(const std::string& output) {
  const auto json = json_in(output);
  if (!json.is_object() || !json.contains("hosts") || !json["hosts"].is_array() ||
      !json.value("latency_us", nlohmann::json()).is_number() ||
      !json.value("bandwidth_mb_s", nlohmann::json()).is_number())
    return core::refuse(ErrorCode::internal, "the MPI probe printed no figures");
  msg::ProbeResult result{.latency_us = json["latency_us"],
                          .bandwidth_mb_s = json["bandwidth_mb_s"]};
  for (const auto& host : json["hosts"])
    if (host.is_string()) result.hosts.push_back(msg::shown(host.get<std::string>()));
  return result;
}

core::Result<msg::ProbeResult> parse_fio(const std::string& output) {
  const auto json = json_in(output);
  if (json.is_object() && json.contains("jobs") && json["jobs"].is_array() &&
      !json["jobs"].empty()) {
    const auto& read = json["jobs"][0].value("read", nlohmann::json::object());
    if (read.value("iops", nlohmann::json()).is_number())
      return msg::ProbeResult{.bandwidth_mb_s = read.value("bw_bytes", 0.0) / 1e6,
                              .operations_per_s = read["iops"]};
  }
  return core::refuse(ErrorCode::internal, "fio printed no figures");
}

}  // namespace nucleus::provisioner
