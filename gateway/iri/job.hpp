// Jobs of the IRI API are computesets. Pure: what of a JobSpec a computeset has, and how a
// computeset is shown as a Job.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/json/json.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::gateway {

/// The names of the specification; `held` is the state of no computeset.
NUCLEUS_ENUM(JobState, new_, queued, held, active, completed, failed, canceled)

JobState job_state(msg::ComputesetState state);
/// The states of computesets that are shown as this one.
std::vector<msg::ComputesetState> computeset_states(JobState state);
bool is_final(msg::ComputesetState state);

/// What a JobSpec asks for; empty or 0 = not given.
struct JobSpec {
  std::uint32_t node_count = 0;
  std::int64_t duration_s = 0;
  std::string account = {};
  std::string reservation_id = {};
  std::string on_behalf_of = {};     // custom attribute
  std::uint32_t node_count_min = 0;  // custom attribute
};

/// `invalid_argument` with the field that a computeset cannot have, unless its value is empty.
core::Result<JobSpec> read_job_spec(const Json& body);

msg::StartComputeset start_of(const JobSpec& spec);
/// The new walltime; `invalid_argument` with the field of a job that cannot be changed.
core::Result<msg::ChangeWalltime> change_of(const JobSpec& spec, const msg::Computeset& set);
/// The field of a JobSpec for one of StartComputeset or ChangeWalltime.
std::string job_field(const std::string& message_field);

/// Which jobs are listed.
struct JobFilter {
  std::optional<std::vector<msg::ComputesetState>> states = {};  // not set = of any state
  std::string account = {};                                      // empty = any
};
/// The filters of a list: `state`, one or several, and `account`. The body may be empty or null.
core::Result<JobFilter> read_job_filter(const std::string& body, bool is_historical);

Json job_json(const msg::Computeset& set, bool has_spec);

}  // namespace nucleus::gateway
