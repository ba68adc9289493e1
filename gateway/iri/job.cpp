#include "gateway/iri/job.hpp"

#include <algorithm>

#include "gateway/json/numbers.hpp"

namespace nucleus::gateway {

using State = msg::ComputesetState;

namespace {

constexpr std::int64_t minute_s = 60;
constexpr std::int64_t node_count_max = 4096;
constexpr std::size_t name_bytes_max = 256;
constexpr const char* programs = "must be empty: the cluster's own batch system runs programs";
constexpr const char* sizes = "must be empty: the cluster's definition has the size of nodes";
constexpr const char* unknown = "is unknown";

struct RefusedField {
  std::string_view name;
  const char* reason;
};
constexpr RefusedField refused_of_spec[] = {
    {"executable", programs},  {"container", programs},   {"arguments", programs},
    {"directory", programs},   {"environment", programs}, {"stdin_path", programs},
    {"stdout_path", programs}, {"stderr_path", programs}, {"pre_launch", programs},
    {"post_launch", programs}, {"launcher", programs}};
constexpr RefusedField refused_of_resources[] = {{"process_count", programs},
                                                 {"processes_per_node", programs},
                                                 {"cpu_cores_per_process", programs},
                                                 {"gpu_cores_per_process", programs},
                                                 {"memory", sizes}};
constexpr RefusedField refused_of_attributes[] = {
    {"queue_name", "must be empty: a virtual cluster has no queues"}};

std::unexpected<core::Error> refuse_at(const std::string& field, const std::string& reason) {
  return std::unexpected(msg::invalid(field, field + " " + reason));
}

bool is_empty(const Json& value) {
  return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
         (value.is_structured() && value.empty());
}

/// One object of the body, field by field. The first fault is kept.
class Reader {
 public:
  Reader(const Json& object, std::string path) : object_{object}, path_{std::move(path)} {}

  std::string text(const char* name) {
    const auto* value = find(name);
    if (!value) return {};
    if (value->is_string() && !is_empty(*value)) return value->get<std::string>();
    fail(name, "must be a text that is not empty");
    return {};
  }
  std::int64_t number(const char* name, std::int64_t most) {
    const auto* value = find(name);
    if (!value) return 0;
    if (value->is_number_integer() && *value >= 1 && *value <= most)
      return value->get<std::int64_t>();
    fail(name, "must be 1 to " + std::to_string(most));
    return 0;
  }
  void flag(const char* name) {
    const auto* value = find(name);
    if (value && !value->is_boolean()) fail(name, "must be true or false");
  }
  /// An object within this one; an empty one if it is not given.
  Reader object(const char* name) {
    static const Json none = Json::object();
    const auto* value = find(name);
    const bool is_object = value && value->is_object();
    if (value && !is_object) fail(name, "must be an object");
    return {is_object ? *value : none, path_ + name + "."};
  }
  /// Refuses what is not empty of these, and fields that were not read.
  template <std::size_t count>
  void refuse(const RefusedField (&fields)[count]) {
    for (const auto& field : fields) {
      known_.push_back(field.name);
      const auto found = object_.find(field.name);
      if (found != object_.end() && !is_empty(*found)) fail(field.name, field.reason);
    }
    refuse_others();
  }
  void refuse_others() {
    for (const auto& [name, value] : object_.items())
      if (std::ranges::find(known_, name) == known_.end()) fail(msg::shown(name), unknown);
  }
  const std::optional<core::Error>& fault() const { return fault_; }

 private:
  const Json* find(std::string_view name) {
    known_.push_back(name);
    const auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  void fail(std::string_view name, const std::string& reason) {
    const std::string field = path_ + std::string(name);
    if (!fault_) fault_ = msg::invalid(field, field + " " + reason);
  }

  const Json& object_;
  std::string path_;
  std::vector<std::string_view> known_ = {};
  std::optional<core::Error> fault_ = {};
};

}  // namespace

JobState job_state(State state) {
  switch (state) {
    case State::created:
      return JobState::new_;
    case State::submitted:
      return JobState::queued;
    case State::running:
    case State::ending:
    case State::hibernating:
      return JobState::active;
    case State::hibernated:
      return JobState::held;
    case State::completed:
      return JobState::completed;
    case State::failed:
      return JobState::failed;
    case State::cancelled:
      return JobState::canceled;
    case State::unknown:
      break;
  }
  return JobState::unknown;
}

std::vector<State> computeset_states(JobState state) {
  std::vector<State> states;
  for (const auto one :
       {State::created, State::submitted, State::running, State::ending, State::completed,
        State::failed, State::cancelled, State::hibernating, State::hibernated})
    if (job_state(one) == state) states.push_back(one);
  return states;
}

bool is_final(State state) {
  return state == State::completed || state == State::failed || state == State::cancelled;
}

core::Result<JobSpec> read_job_spec(const Json& body) {
  JobSpec spec;
  Reader top{body, ""};
  const auto name = top.text("name");
  top.flag("inherit_environment");
  Reader resources = top.object("resources");
  spec.node_count = static_cast<std::uint32_t>(resources.number("node_count", node_count_max));
  resources.flag("exclusive_node_use");
  Reader attributes = top.object("attributes");
  spec.duration_s = attributes.number("duration", msg::walltime_mins_max * minute_s);
  spec.account = attributes.text("account");
  spec.reservation_id = attributes.text("reservation_id");
  Reader custom = attributes.object("custom_attributes");
  spec.on_behalf_of = custom.text("on_behalf_of");
  const auto least = custom.text("node_count_min");
  const auto least_number = whole_number<std::uint32_t>(least.empty() ? "0" : least);
  top.refuse(refused_of_spec);
  resources.refuse(refused_of_resources);
  attributes.refuse(refused_of_attributes);
  custom.refuse_others();
  if (const auto broken = msg::check_line("name", name, name_bytes_max))
    return std::unexpected(*broken);
  for (const Reader* part : {&top, &resources, &attributes, &custom})
    if (part->fault()) return std::unexpected(*part->fault());
  if (!least_number || *least_number > node_count_max)
    return refuse_at(job_field("node_count_min"), "must be a number up to 4096");
  spec.node_count_min = *least_number;
  return spec;
}

msg::StartComputeset start_of(const JobSpec& spec) {
  return {.count = std::max(spec.node_count, 1u),
          .allocation_id = {spec.account},
          .walltime_mins = (spec.duration_s + minute_s - 1) / minute_s,
          .reservation = spec.reservation_id,
          .on_behalf_of = spec.on_behalf_of,
          .node_count_min = spec.node_count_min};
}

core::Result<msg::ChangeWalltime> change_of(const JobSpec& spec, const msg::Computeset& set) {
  const auto keeps = [](const auto& asked, const auto& has) {
    return asked == std::decay_t<decltype(asked)>{} || asked == has;
  };
  constexpr const char* fixed = "cannot be changed";
  if (!keeps(spec.node_count, static_cast<std::uint32_t>(set.nodes.size())))
    return refuse_at(job_field("count"), fixed);
  if (!keeps(spec.account, set.allocation_id.value))
    return refuse_at(job_field("allocation_id"), fixed);
  if (!keeps(spec.reservation_id, set.reservation))
    return refuse_at(job_field("reservation"), fixed);
  if (!keeps(spec.on_behalf_of, set.on_behalf_of))
    return refuse_at(job_field("on_behalf_of"), fixed);
  if (!keeps(spec.node_count_min, set.node_count_min))
    return refuse_at(job_field("node_count_min"), fixed);
  if (spec.duration_s == 0) return refuse_at(job_field("walltime_mins"), "must be set");
  return msg::ChangeWalltime{.computeset_id = set.computeset_id,
                             .walltime_mins = start_of(spec).walltime_mins};
}

std::string job_field(const std::string& message_field) {
  static const std::map<std::string, std::string> fields = {
      {"count", "resources.node_count"},
      {"walltime_mins", "attributes.duration"},
      {"allocation_id", "attributes.account"},
      {"reservation", "attributes.reservation_id"},
      {"on_behalf_of", "attributes.custom_attributes.on_behalf_of"},
      {"node_count_min", "attributes.custom_attributes.node_count_min"}};
  const auto found = fields.find(message_field);
  return found == fields.end() ? message_field : found->second;
}

core::Result<JobFilter> read_job_filter(const std::string& body, bool is_historical) {
  JobFilter filter;
  if (!is_historical)
    filter.states = {State::created, State::submitted,   State::running,
                     State::ending,  State::hibernating, State::hibernated};
  if (body.empty() || body == "null") return filter;
  const auto parsed = parse_object(body);
  if (!parsed) return std::unexpected(parsed.error());
  for (const auto& [name, value] : parsed->items()) {
    if (name == "account") {
      filter.account = value.is_string() ? value.get<std::string>() : "";
      if (auto broken = msg::check_name(name, filter.account)) return std::unexpected(*broken);
      continue;
    }
    if (name != "state") return refuse_at(msg::shown(name), unknown);
    std::vector<State> states;
    for (const auto& one : value.is_array() ? value : Json::array({value})) {
      const auto state =
          one.is_string() ? msg::enum_of<JobState>(one.get<std::string>()) : JobState::unknown;
      if (state == JobState::unknown) return refuse_at("state", "is not a state of a job");
      for (const auto each : computeset_states(state))
        if (is_historical || !is_final(each)) states.push_back(each);
    }
    filter.states = std::move(states);
  }
  return filter;
}

namespace {

Json spec_json(const msg::Computeset& set) {
  Json attributes{{"duration", set.walltime_mins * minute_s}, {"account", set.allocation_id.value}};
  if (!set.reservation.empty()) attributes["reservation_id"] = set.reservation;
  Json custom = Json::object();
  if (!set.on_behalf_of.empty()) custom["on_behalf_of"] = set.on_behalf_of;
  if (set.node_count_min > 0) custom["node_count_min"] = std::to_string(set.node_count_min);
  if (!custom.empty()) attributes["custom_attributes"] = std::move(custom);
  return {{"resources", {{"node_count", set.nodes.size()}}}, {"attributes", std::move(attributes)}};
}

std::int64_t time_of(const msg::Computeset& set) {
  if (set.end_unix_s > 0) return set.end_unix_s;
  if (set.hibernated_unix_s > 0) return set.hibernated_unix_s;
  return set.start_unix_s > 0 ? set.start_unix_s : set.created_unix_s;
}

}  // namespace

Json job_json(const msg::Computeset& set, bool has_spec) {
  Json status{{"state", std::string(msg::name_of(job_state(set.state)))},
              {"time", time_of(set)},
              {"meta_data", json_of(set)}};
  if (!set.reason.empty()) status["message"] = set.reason;
  Json job{{"id", std::to_string(set.computeset_id)}, {"status", std::move(status)}};
  if (has_spec) job["job_spec"] = spec_json(set);
  return job;
}

}  // namespace nucleus::gateway
