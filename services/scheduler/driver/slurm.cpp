#include "services/scheduler/driver/slurm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ranges>

#include "core/hostlist/hostlist.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;

namespace {

constexpr std::chrono::milliseconds command_timeout{15'000};
constexpr std::size_t output_bytes_max = 64U << 20U;
constexpr std::size_t nodes_max = 100'000;

// Fields of squeue and sinfo; only the last one may contain the separator.
constexpr const char* job_format = "%i|%T|%k|%S|%l|%N|%r";
constexpr std::size_t job_fields = 7;
constexpr const char* node_format = "%N|%T|%E";
constexpr std::size_t node_fields = 3;

constexpr std::string_view ready_mark = "ready";

/// What the batch job runs. srun returns when the Prolog of every host has ended: until then the
/// job is not ready.
constexpr const char* hold_script =
    "srun --ntasks=\"$SLURM_JOB_NUM_NODES\" --ntasks-per-node=1 true || exit 1\n"
    "scontrol update JobId=\"$SLURM_JOB_ID\" Comment={0}:{1} || exit 1\n"
    "exec sleep infinity\n";

/// At most `count` fields: the last one has the rest of the line.
std::vector<std::string> split(std::string_view line, std::size_t count) {
  std::vector<std::string> fields;
  while (fields.size() + 1 < count) {
    const auto bar = line.find('|');
    if (bar == std::string_view::npos) break;
    fields.emplace_back(line.substr(0, bar));
    line.remove_prefix(bar + 1);
  }
  fields.emplace_back(line);
  return fields;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const auto line : std::views::split(text, '\n'))
    if (!line.empty()) lines.emplace_back(line.begin(), line.end());
  return lines;
}

template <class Number>
Number number_or_zero(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : 0;
}

std::vector<msg::HostId> hosts_of(std::string_view hostlist) {
  std::vector<msg::HostId> hosts;
  if (const auto names = core::hostlist::expand(hostlist, nodes_max))
    for (const auto& name : *names) hosts.push_back({name});
  return hosts;
}

/// From squeue(1), "JOB STATE CODES".
JobState state_of(std::string_view state, bool is_marked_ready) {
  constexpr std::array waiting{"PENDING",      "REQUEUED",      "REQUEUE_FED",
                               "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"};
  // A running job is CONFIGURING again for a while after slurmctld was restarted.
  constexpr std::array holding{"RUNNING",   "CONFIGURING", "SUSPENDED",
                               "SIGNALING", "STOPPED",     "RESIZING"};
  constexpr std::array over{"BOOT_FAIL",     "COMPLETED", "DEADLINE",  "FAILED", "NODE_FAIL",
                            "OUT_OF_MEMORY", "PREEMPTED", "STAGE_OUT", "TIMEOUT"};
  if (std::ranges::find(waiting, state) != waiting.end()) return JobState::pending;
  if (std::ranges::find(holding, state) != holding.end())
    return is_marked_ready ? JobState::ready : JobState::preparing;
  if (state == "COMPLETING") return JobState::completing;
  if (state == "CANCELLED" || state == "REVOKED") return JobState::cancelled;
  if (std::ranges::find(over, state) != over.end()) return JobState::ended;
  return JobState::unknown;
}

/// It did not take the request; the same one may succeed later.
bool is_transient(const std::string& errors) {
  constexpr std::array signs{"contact slurm controller",
                             "timed out",
                             "temporarily",
                             "standby",
                             "endpoint",
                             "Communication",
                             "Zero Bytes",
                             "munge",
                             "authentication"};
  return std::ranges::any_of(
      signs, [&](const char* sign) { return errors.find(sign) != std::string::npos; });
}

/// The last line, without the command's name.
std::string reason_of(const std::string& errors) {
  const auto lines = lines_of(errors);
  if (lines.empty()) return "it gave no reason";
  std::string_view reason = lines.back();
  for (const std::string_view start : {"sbatch: error: ", "allocation failure: ",
                                       "Batch job submission failed: ", "slurm_load_jobs error: "})
    if (reason.starts_with(start)) reason.remove_prefix(start.size());
  return std::string(reason);
}

std::string comment_of(const std::string& name, msg::ComputesetId id) {
  return fmt::format("nucleus:{}:{}", name, id);
}

std::string hostlist_of(const std::vector<msg::HostId>& hosts) {
  std::vector<std::string> names;
  for (const auto& host : hosts) names.push_back(host.value);
  return core::hostlist::collect(names);
}

core::Result<void> without_output(const core::Result<std::string>& output) {
  if (!output) return std::unexpected(output.error());
  return {};
}

}  // namespace

std::int64_t parse_expected_start(std::string_view text) {
  constexpr std::string_view before = " to start at ";
  const auto at = text.find(before);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + before.size());
  return number_or_zero<std::int64_t>(text.substr(0, text.find(' ')));
}

std::int64_t minutes_of(std::string_view time_limit) {
  std::int64_t days = 0;
  if (const auto dash = time_limit.find('-'); dash != std::string_view::npos) {
    days = number_or_zero<std::int64_t>(time_limit.substr(0, dash));
    time_limit.remove_prefix(dash + 1);
  }
  std::int64_t seconds = 0;
  for (const auto part : std::views::split(time_limit, ':')) {
    const std::string_view digits{part.begin(), part.end()};
    if (digits.find_first_not_of("0123456789") != std::string_view::npos) return 0;
    seconds = seconds * 60 + number_or_zero<std::int64_t>(digits);
  }
  return days * 1440 + (seconds + 59) / 60;
}

std::optional<Job> parse_job(std::string_view line, const std::string& name) {
  const auto fields = split(line, job_fields);
  if (fields.size() != job_fields) return std::nullopt;
  const auto start = "nucleus:" + name + ":";
  if (!fields[2].starts_with(start)) return std::nullopt;
  const auto mark = split(fields[2], 1).front().substr(start.size());
  const auto colon = mark.find(':');
  const bool is_ready = colon != std::string::npos && mark.substr(colon + 1) == ready_mark;
  Job job{.job_id = fields[0],
          .computeset_id = number_or_zero<msg::ComputesetId>(mark.substr(0, colon)),
          .state = state_of(fields[1], is_ready),
          .reason = fields[6] == "None" ? "" : fields[6],
          .hosts = hosts_of(fields[5]),
          .limit_mins = minutes_of(fields[4])};
  if (job.state == JobState::ended || job.state == JobState::cancelled) job.reason = fields[1];
  if (job.state == JobState::pending && fields[1] == "PENDING")
    job.expected_start_unix_s = number_or_zero<std::int64_t>(fields[3]);
  return job.computeset_id > 0 ? std::optional{job} : std::nullopt;
}

std::optional<BatchNode> parse_node(std::string_view line) {
  const auto fields = split(line, node_fields);
  if (fields.size() != node_fields || fields[0].empty()) return std::nullopt;
  BatchNode node{.host_id = {fields[0]},
                 .state = fields[1],
                 .reason = fields[2] == "none" ? "" : fields[2],
                 .is_drained = fields[1].starts_with("drain")};
  return node;
}

core::Result<core::ChildOutput> Slurm::run_child(std::vector<std::string> argv) const {
  const std::string command = argv.front();
  std::vector<std::string> environment{"SLURM_TIME_FORMAT=%s", "LC_ALL=C"};
  if (!config_.conf.empty()) environment.push_back("SLURM_CONF=" + config_.conf);
  auto ended = core::run_child({.argv = std::move(argv),
                                .environment = std::move(environment),
                                .deadline = command_timeout,
                                .output_bytes_max = output_bytes_max});
  if (!ended) return core::refuse(ErrorCode::unavailable, command + ": " + ended.error().detail);
  if (core::is_success(ended->end)) return *std::move(ended);
  const auto code =
      is_transient(ended->errors) ? ErrorCode::unavailable : ErrorCode::invalid_argument;
  return core::refuse(code, reason_of(ended->errors));
}

core::Result<std::string> Slurm::run(std::vector<std::string> argv) const {
  auto ended = run_child(std::move(argv));
  if (!ended) return std::unexpected(ended.error());
  return std::move(ended->output);
}

core::Result<std::vector<Job>> Slurm::list_jobs() {
  const auto output = run({"squeue", "--me", "--noheader", "--states=all", "--partition",
                           config_.partition, "--format", job_format});
  if (!output) return core::refuse(ErrorCode::unavailable, output.error().detail);
  std::vector<Job> jobs;
  for (const auto& line : lines_of(*output))
    if (auto job = parse_job(line, config_.name)) jobs.push_back(std::move(*job));
  return jobs;
}

core::Result<std::vector<BatchNode>> Slurm::list_nodes() {
  const auto output = run(
      {"sinfo", "--noheader", "--Node", "--partition", config_.partition, "--format", node_format});
  if (!output) return core::refuse(ErrorCode::unavailable, output.error().detail);
  std::vector<BatchNode> nodes;
  for (const auto& line : lines_of(*output))
    if (auto node = parse_node(line)) nodes.push_back(std::move(*node));
  return nodes;
}

std::vector<std::string> Slurm::sbatch(const JobRequest& request) const {
  const auto comment = comment_of(config_.name, request.computeset_id);
  std::vector<std::string> argv{
      "sbatch",
      "--parsable",
      "--job-name=nucleus-" + std::to_string(request.computeset_id),
      "--comment=" + comment,
      "--partition=" + config_.partition,
      fmt::format("--nodes={}-{}", request.host_count_min, request.host_count_max),
      "--exclusive",
      fmt::format("--mincpus={}", request.cpus_per_host),
      fmt::format("--time={}", request.limit_mins),
      "--no-requeue",
      "--no-kill",  // a host that fails is the scheduler's to replace: the others run on
      "--export=PATH",
      "--chdir=/",
      "--output=/dev/null",
      "--wrap=" + fmt::format(hold_script, comment, ready_mark)};
  if (!request.hosts.empty()) argv.push_back("--nodelist=" + hostlist_of(request.hosts));
  if (!request.excluded.empty()) argv.push_back("--exclude=" + hostlist_of(request.excluded));
  if (!request.reservation.empty()) argv.push_back("--reservation=" + request.reservation);
  if (config_.has_accounts) argv.push_back("--account=" + request.account);
  return argv;
}

core::Result<std::string> Slurm::submit(const JobRequest& request) {
  const auto output = run(sbatch(request));
  if (!output) return std::unexpected(output.error());
  // JOB, or JOB;CLUSTER.
  return output->substr(0, output->find_first_of(";\n"));
}

core::Result<std::int64_t> Slurm::expected_start_unix_s(const JobRequest& request) {
  auto argv = sbatch(request);
  argv.emplace_back("--test-only");
  const auto ended = run_child(std::move(argv));
  if (!ended) return std::unexpected(ended.error());
  return parse_expected_start(ended->errors);  // sbatch says it there
}

core::Result<void> Slurm::cancel(const std::string& job_id) {
  const auto cancelled = run({"scancel", job_id});
  if (!cancelled && cancelled.error().code == ErrorCode::invalid_argument) return {};
  return without_output(cancelled);
}

core::Result<void> Slurm::change_limit(const std::string& job_id, std::int64_t limit_mins) {
  return without_output(
      run({"scontrol", "update", "JobId=" + job_id, fmt::format("TimeLimit={}", limit_mins)}));
}

core::Result<void> Slurm::drain(const msg::HostId& host_id, const std::string& reason) {
  return without_output(
      run({"scontrol", "update", "NodeName=" + host_id.value, "State=DRAIN", "Reason=" + reason}));
}

core::Result<void> Slurm::resume(const msg::HostId& host_id) {
  return without_output(run({"scontrol", "update", "NodeName=" + host_id.value, "State=RESUME"}));
}

}  // namespace nucleus::scheduler
