// REST v1: computesets (docs/rest-v1.md, Computesets).
#include <algorithm>

#include "core/hostlist/hostlist.hpp"
#include "gateway/json/numbers.hpp"
#include "gateway/routing/pages.hpp"
#include "gateway/v1/json.hpp"
#include "gateway/v1/routes.hpp"
#include "gateway/v1/whole_list.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

core::Result<std::int64_t> number(const Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || found->is_null()) return 0;
  if (found->is_number_integer()) return found->get<std::int64_t>();
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    if (text.empty()) return 0;
    if (const auto value = whole_number<std::int64_t>(text)) return *value;
  }
  return core::refuse(ErrorCode::invalid_argument, std::string(field) + " must be a whole number",
                      field);
}

core::Result<std::string> text(const Json& body, const char* field) {
  const auto found = body.find(field);
  if (found == body.end() || found->is_null()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  return core::refuse(ErrorCode::invalid_argument, std::string(field) + " must be a string", field);
}

struct Names {
  std::vector<std::string> computes = {};
  std::vector<std::string> hosts = {};
};

constexpr std::size_t nodes_max = 4096;

/// A hostlist, a list of names, or a list of {name, host}.
core::Result<void> read_list(const Json& value, const char* field, std::vector<std::string>& names,
                             std::vector<std::string>* hosts) {
  const auto wrong = [&](const std::string& why) {
    return core::refuse(ErrorCode::invalid_argument, std::string(field) + " " + why, field);
  };
  if (value.is_string()) {
    auto expanded = core::hostlist::expand(value.get_ref<const std::string&>(), nodes_max);
    if (!expanded) return wrong("is not a hostlist: " + expanded.error().detail);
    names = std::move(*expanded);
    return {};
  }
  if (!value.is_array()) return wrong("must be a hostlist or a list");
  if (value.size() > nodes_max) return wrong("has more than 4096 names");
  for (const auto& entry : value) {
    if (entry.is_string()) {
      names.push_back(entry);
    } else if (hosts && entry.is_object() && entry.contains("name") && entry["name"].is_string()) {
      names.push_back(entry["name"]);
      if (entry.contains("host") && entry["host"].is_string()) hosts->push_back(entry["host"]);
    } else {
      return wrong("must contain names");
    }
  }
  return {};
}

core::Result<Names> read_names(const Json& body) {
  Names names;
  if (body.contains("computes") && !body["computes"].is_null())
    if (auto read = read_list(body["computes"], "computes", names.computes, &names.hosts); !read)
      return std::unexpected(read.error());
  if (body.contains("hosts") && !body["hosts"].is_null())
    if (auto read = read_list(body["hosts"], "hosts", names.hosts, nullptr); !read)
      return std::unexpected(read.error());
  if (!names.hosts.empty() && names.hosts.size() != names.computes.size())
    return core::refuse(ErrorCode::invalid_argument,
                        "The length of hosts and computes must be the same", "hosts");
  return names;
}

core::Result<msg::StartComputeset> read_start(const Json& body) {
  msg::StartComputeset start;
  auto names = read_names(body);
  if (!names) return std::unexpected(names.error());
  const auto count = number(body, "count");
  const auto walltime = number(body, "walltime_mins");
  const auto node_count_min = number(body, "node_count_min");
  const auto allocation = text(body, "allocation");
  const auto reservation = text(body, "reservation");
  if (!count) return std::unexpected(count.error());
  if (!walltime) return std::unexpected(walltime.error());
  if (!node_count_min) return std::unexpected(node_count_min.error());
  if (!allocation) return std::unexpected(allocation.error());
  if (!reservation) return std::unexpected(reservation.error());
  if (*count < 0 || *count > static_cast<std::int64_t>(nodes_max))
    return core::refuse(ErrorCode::invalid_argument, "count must be 1 to 4096", "count");
  if (*node_count_min < 0 || *node_count_min > static_cast<std::int64_t>(nodes_max))
    return core::refuse(ErrorCode::invalid_argument, "node_count_min must be 0 to 4096",
                        "node_count_min");
  start.count = static_cast<std::uint32_t>(*count);
  start.node_count_min = static_cast<std::uint32_t>(*node_count_min);
  start.walltime_mins = *walltime;
  start.allocation_id = {*allocation};
  start.reservation = *reservation;
  for (const auto& host : names->hosts) start.hosts.push_back({host});
  start.names = std::move(names->computes);
  return start;
}

/// Nodes and their statuses, for the computesets that they are members of.
struct Members {
  std::map<std::string, msg::Node> nodes = {};  // by id
  NodeStatusesById statuses = {};

  Json show(const msg::Computeset& set) const {
    std::vector<msg::Node> members;
    for (const auto& id : set.nodes)
      if (const auto node = nodes.find(id.value); node != nodes.end())
        members.push_back(node->second);
    return v1_computeset(set, members, statuses);
  }
};

using MembersPtr = std::shared_ptr<const Members>;

/// Reads the nodes of a cluster, or of all clusters if the id is empty. A cluster that was removed
/// has none.
void with_members(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                  std::function<void(MembersPtr)> next) {
  auto members = std::make_shared<Members>();
  for_each_page<msg::ListNodes>(
      exchange, {.viewer = msg::viewer_of(exchange->who), .cluster_id = cluster_id},
      [members](msg::Nodes page) {
        for (auto& node : page.nodes) {
          std::string id = node.node_id.value;
          members->nodes[std::move(id)] = std::move(node);
        }
      },
      [exchange, cluster_id, members, next] {
        with_statuses(exchange, cluster_id, [members, next](NodeStatusesById statuses) {
          members->statuses = std::move(statuses);
          next(members);
        });
      },
      [exchange, members, next](const core::Error& error) {
        if (error.code != ErrorCode::not_found) return exchange->refuse(error);
        next(members);
      });
}

void start_computeset(const ExchangePtr& exchange) {
  const auto parsed = parse_object(exchange->request.body);
  if (!parsed) return exchange->refuse(parsed.error());
  const Json& body = *parsed;
  const auto cluster = body.find("cluster");
  if (cluster == body.end() || !cluster->is_string() || cluster->get<std::string>().empty())
    return exchange->refuse(ErrorCode::invalid_argument, "Please provide the cluster", "cluster");
  auto start = read_start(body);
  if (!start) return exchange->refuse(start.error());
  start->cluster_id = {cluster->get<std::string>()};
  start->viewer = msg::viewer_of(exchange->who);
  start->person_id = exchange->who.person_id;
  exchange->ask(*start, [exchange](const msg::Computeset& set) {
    with_members(exchange, set.cluster_id, [exchange, set](const MembersPtr& members) {
      exchange->reply(201, members->show(set),
                      {{"Location", exchange->base_url + "/nucleus/v1/computeset/" +
                                        std::to_string(set.computeset_id)}});
    });
  });
}

void get_computeset(const ExchangePtr& exchange) {
  with_computeset(exchange, [exchange](const msg::Computeset& set) {
    with_members(exchange, set.cluster_id, [exchange, set](const MembersPtr& members) {
      exchange->reply(200, members->show(set));
    });
  });
}

void list_computesets(const ExchangePtr& exchange) {
  msg::ListComputesets request{.viewer = msg::viewer_of(exchange->who)};
  const auto [first, last] = exchange->request.query.equal_range("state");
  for (auto given = first; given != last; ++given) {
    const auto state = msg::enum_of<msg::ComputesetState>(given->second);
    // Old clients also ask for `queued`, a state that no set has.
    if (state == msg::ComputesetState::unknown) continue;
    for (const auto shown :
         {state, msg::ComputesetState::hibernating, msg::ComputesetState::hibernated})
      if (shown == state || v1_state(shown) == state) request.states.push_back(shown);
  }
  if (first != last && request.states.empty()) return exchange->reply(200, Json::array());
  with_members(exchange, {}, [exchange, request](const MembersPtr& members) {
    auto list = std::make_shared<WholeList>();
    for_each_page<msg::ListComputesets>(
        exchange, request,
        [list, members](const msg::Computesets& page) {
          for (const auto& set : page.computesets) list->add(members->show(set));
        },
        [exchange, list] { list->reply(exchange, "/v2/computesets"); });
  });
}

Handler power_computeset(msg::PowerAction action) {
  return [action](const ExchangePtr& exchange) {
    const auto id = computeset_of_path(*exchange);
    if (!id) return exchange->refuse(id.error());
    exchange->ask(
        msg::PowerComputeset{
            .computeset_id = *id, .viewer = msg::viewer_of(exchange->who), .action = action},
        [exchange](const msg::Computeset&) { exchange->reply_nothing(); });
  };
}

}  // namespace

void add_v1_computeset_routes(Router& router) {
  router.add_cached("/v1/computeset/", msg::Right::read, list_computesets);
  router.add("POST", "/v1/computeset/", msg::Right::power, start_computeset);
  router.add_cached("/v1/computeset/{id}/", msg::Right::read, get_computeset);
  for (const auto action : {msg::PowerAction::shutdown, msg::PowerAction::poweroff,
                            msg::PowerAction::reboot, msg::PowerAction::reset})
    router.add("PUT", "/v1/computeset/{id}/" + std::string(msg::name_of(action)), msg::Right::power,
               power_computeset(action));
}

}  // namespace nucleus::gateway
