// nucleus host: list, drain, resume; add and remove, for hosts that join over the network.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <optional>
#include <span>

#include "core/hostlist/hostlist.hpp"
#include "messages/host_classes.hpp"
#include "messages/plans.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"
#include "operator/join_file.hpp"
#include "operator/processes.hpp"
#include "operator/tables.hpp"

namespace nucleus::operator_ {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t hosts_max = 4'096;  // of one command
constexpr std::chrono::seconds removal_timeout{20};
constexpr std::chrono::seconds revocation_timeout{2};  // then the bus accepts nothing more of a key
constexpr std::chrono::hours renewal_timeout{24};      // the earlier key is valid no longer

std::string shown_hosts(std::span<const std::string> names) {
  return (names.size() == 1 ? "host " : "hosts ") + core::hostlist::collect(names);
}

struct HostArguments {
  std::string state = {};
  msg::DrainHost request = {};
};

struct AddArguments {
  std::string state = {};
  std::string hosts = {};
  std::string file = {};
  std::string directory = {};
  std::string head_address = {};
  bool is_renewed = false;
  bool is_earlier_revoked = false;
};

struct RemoveArguments {
  std::string state = {};
  std::string hosts = {};
  bool is_plan = false;
};

struct SetArguments {
  std::string state = {};
  std::string hosts = {};
  std::string host_class = {};
  std::optional<std::string> rack = {};
};

core::Result<int> list_hosts(const HostArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto listed = call_all_pages(**opened, msg::ListHosts{}, &msg::Hosts::hosts);
  if (!listed) return std::unexpected(listed.error());
  std::cout << host_heading();
  const auto now_unix_ms = unix_ms_now();
  for (const auto& host : *listed) std::cout << host_row(host, now_unix_ms);
  return 0;
}

std::string fault_line(const msg::IsolationFault& fault) {
  return fmt::format("  {}{}{}{}\n", fault.port.empty() ? "the switch" : "port " + fault.port,
                     fault.cluster_id.empty() ? "" : " (cluster " + fault.cluster_id.value + ")",
                     ": " + fault.reason, fault.is_quarantined ? "; the port is closed" : "");
}

/// Whether the host can give its nodes their profile; the standard one needs nothing.
bool print_profile(const msg::Host& host) {
  if (host.profile.empty() || host.profile == "standard") return true;
  std::cout << fmt::format("host {}: {}\n", host.host_id.value,
                           host.profile_reason.empty()
                               ? fmt::format("profile {}, {} CPUs and {} MB for nodes",
                                             host.profile, host.cpus, host.memory_mb)
                               : host.profile_reason);
  return host.profile_reason.empty();
}

/// The host itself compares its switch with its leases, and sends frames.
core::Result<int> check_host_isolation(const HostArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto& host_id = arguments.request.host_id;
  const auto found = (*opened)->call(msg::ListHosts{.host_id = host_id});
  if (!found) return std::unexpected(found.error());
  if (found->hosts.empty())
    return core::refuse(core::ErrorCode::not_found, "no such host: " + host_id.value);
  const bool has_profile = print_profile(found->hosts.front());
  if (found->hosts.front().isolation == msg::IsolationState::simulated) {
    std::cout << fmt::format("host {}: simulated, no switch to check\n", host_id.value);
    return 0;
  }
  const auto checked = (*opened)->call(msg::CheckIsolation{.host_id = host_id},
                                       {.to = "provisioner/" + host_id.value,
                                        .deadline = core::Milliseconds{60'000},
                                        .ends_if_unavailable = true});
  if (!checked) return std::unexpected(checked.error());
  std::cout << fmt::format("host {}: isolation {}, {} ports of nodes, {} faults{}\n", host_id.value,
                           msg::name_of(checked->state), checked->port_count, checked->fault_count,
                           checked->reason.empty() ? "" : ": " + checked->reason);
  for (const auto& fault : checked->faults) std::cout << fault_line(fault);
  return checked->state == msg::IsolationState::verified && has_profile ? 0 : 1;
}

core::Result<int> drain_or_resume(const HostArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto& request = arguments.request;
  if (auto done = (*opened)->call(request); !done) return std::unexpected(done.error());
  std::cout << fmt::format("host {} is {}\n", request.host_id.value,
                           request.is_drained ? "drained: no new nodes start there" : "resumed");
  return 0;
}

/// The names in a hostlist, each of them valid.
core::Result<std::vector<std::string>> names_of(const std::string& hosts) {
  auto names = core::hostlist::expand(hosts, hosts_max);
  if (!names) return std::unexpected(msg::invalid("host", "HOST: " + names.error().detail));
  for (const auto& name : *names)
    if (auto broken = msg::check_name("host", name)) return std::unexpected(*broken);
  return names;
}

/// What all join files say of the head.
core::Result<TextMap> head_for_hosts(const StateDirectory& state, const AddArguments& arguments) {
  auto head = find_head_entries(state);
  if (!head) return head;
  if (!arguments.head_address.empty())
    if (auto set = set_head_address(state, *head, arguments.head_address); !set)
      return std::unexpected(set.error());
  if (text_of(*head, "bus.requests_url").starts_with("tcp://0.0.0.0:"))
    return core::refuse(
        core::ErrorCode::invalid_argument,
        "the head listens on every address: --head-address says which the host uses",
        "head-address");
  return head;
}

/// Of each host, in the order of their names; each can be written.
core::Result<std::vector<std::string>> join_files(const AddArguments& arguments,
                                                  const std::vector<std::string>& names) {
  if (!arguments.file.empty() && names.size() > 1)
    return std::unexpected(
        msg::invalid("file", "--file is for one host: use --directory for several"));
  const std::string option = arguments.directory.empty() ? "file" : "directory";
  std::vector<std::string> files;
  for (const auto& name : names) {
    fs::path file = arguments.file;
    if (file.empty()) file = fs::path(arguments.directory) / (name + ".join");
    std::error_code error;
    const auto folder = fs::absolute(file, error).parent_path();
    if (fs::is_directory(file, error) || !fs::is_directory(folder, error) ||
        access(folder.c_str(), W_OK) != 0)
      return std::unexpected(
          msg::invalid(option, fmt::format("--{}: cannot write {}", option, file.string())));
    files.push_back(file);
  }
  return files;
}

core::Result<void> refuse_hosts_with_keys(const KeyFiles& known,
                                          const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const auto& name : names)
    if (has_host_key(known, name)) found.push_back(name);
  if (found.empty()) return {};
  return core::refuse(core::ErrorCode::conflict,
                      fmt::format("{} {} a key: --renew replaces it", shown_hosts(found),
                                  found.size() == 1 ? "has" : "have"),
                      "host");
}

/// Makes the keys, and writes the files. A failure says which hosts have theirs.
core::Result<void> write_join_files(const StateDirectory& state, const KeyFiles& known,
                                    const TextMap& head, const std::vector<std::string>& names,
                                    const std::vector<std::string>& files, bool is_earlier_kept) {
  const auto end_unix_s = unix_ms_now() / 1000 + std::chrono::seconds{renewal_timeout}.count();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto end = is_earlier_kept && has_host_key(known, names[i]) ? end_unix_s : 0;
    const auto key = add_host_key(state, known, head, names[i], end);
    auto written = key ? write_text_map(files[i], *key) : std::unexpected(key.error());
    if (written) continue;
    if (i > 0)
      written.error().detail +=
          "; written before: the file of " + shown_hosts(std::span(names).first(i));
    return written;
  }
  return {};
}

/// A host that is up without a key of its own, such as a simulated one, has its name for itself. If
/// the head does not answer, this is not known.
core::Result<void> refuse_hosts_of_head(const std::string& state, const KeyFiles& known,
                                        const std::vector<std::string>& names) {
  const auto opened = open_caller(state);
  if (!opened) return {};
  const auto listed = call_all_pages(**opened, msg::ListHosts{}, &msg::Hosts::hosts);
  if (!listed) return {};
  for (const auto& host : *listed) {
    const auto& name = host.host_id.value;
    const bool is_up = host.state == msg::HostState::up || host.state == msg::HostState::drained;
    if (is_up && std::ranges::find(names, name) != names.end() && !has_host_key(known, name))
      return core::refuse(core::ErrorCode::conflict,
                          "host " + name + " exists: it is one of the head's own", "host");
  }
  return {};
}

core::Result<int> add(const AddArguments& arguments) {
  const StateDirectory state(arguments.state);
  const auto names = names_of(arguments.hosts);
  if (!names) return std::unexpected(names.error());
  if (std::ranges::find(*names, "simulated") != names->end())
    return std::unexpected(
        msg::invalid("host", "HOST: the process of all simulated hosts is named simulated"));
  const auto head = head_for_hosts(state, arguments);
  if (!head) return std::unexpected(head.error());
  const auto known = find_known_keys(state);
  if (!arguments.is_renewed)
    if (auto free = refuse_hosts_with_keys(known, *names); !free)
      return std::unexpected(free.error());
  if (auto free = refuse_hosts_of_head(arguments.state, known, *names); !free)
    return std::unexpected(free.error());
  const auto files = join_files(arguments, *names);
  if (!files) return std::unexpected(files.error());
  if (auto written =
          write_join_files(state, known, *head, *names, *files, !arguments.is_earlier_revoked);
      !written)
    return std::unexpected(written.error());
  if (files->size() == 1)
    std::cout << fmt::format("{0}: copy it to the host and run there: nucleus join {0}\n",
                             files->front());
  else
    std::cout << fmt::format(
        "{} to {}: copy each to its host and run there: nucleus join HOST.join\n", files->front(),
        files->back());
  const bool has_earlier =
      std::ranges::any_of(*names, [&](const auto& name) { return has_host_key(known, name); });
  if (has_earlier && !arguments.is_earlier_revoked)
    std::cout << fmt::format(
        "the old key ends when the host has joined with this file, or in {} hours\n",
        renewal_timeout.count());
  if (text_of(*head, "bus.requests_url").starts_with("tcp://127.0.0.1:"))
    std::cout << "the bus listens on 127.0.0.1 only; for other machines: nucleus down, then "
                 "nucleus up --bus-listen ADDRESS, then host add --renew\n";
  return 0;
}

/// Whether another attempt may succeed. The first one may have had its effect.
bool is_worth_repeating(core::ErrorCode code) {
  return code == core::ErrorCode::conflict || code == core::ErrorCode::unavailable ||
         code == core::ErrorCode::deadline_exceeded || code == core::ErrorCode::unknown_outcome;
}

struct Removal {
  std::string host = {};
  core::Result<msg::Done> outcome = {};  // of the latest attempt
  bool was_known = false;                // by a key, or by an attempt whose outcome was not seen
  bool has_just_been_revoked = false;
};

/// A host that still reports itself has its key revoked, and is removed once it counts as silent.
void attempt(Caller& caller, const KeyFiles& known, std::vector<Removal>& removals) {
  const auto deadline = std::chrono::steady_clock::now() + removal_timeout;
  bool is_any_left = true;
  for (bool is_first = true; is_any_left; is_first = false) {
    is_any_left = false;
    for (auto& one : removals) {
      if (!is_first && (one.outcome || !is_worth_repeating(one.outcome.error().code))) continue;
      one.outcome = caller.call(msg::RemoveHost{.host_id = {one.host}});
      if (one.outcome || !is_worth_repeating(one.outcome.error().code)) continue;
      is_any_left = true;
      one.was_known = one.outcome.error().code != core::ErrorCode::conflict ||
                      revoke_host_key(known, one.host) || one.was_known;
    }
    if (std::chrono::steady_clock::now() > deadline) return;
    if (is_any_left) poll(nullptr, 0, 100);
  }
}

/// A report that is under way adds a host again.
void settle(Caller& caller, const std::vector<Removal>& removals) {
  const auto settled = std::chrono::steady_clock::now() + revocation_timeout;
  const auto may_return = [](const Removal& one) {
    return one.outcome && one.has_just_been_revoked;
  };
  while (std::ranges::any_of(removals, may_return) && std::chrono::steady_clock::now() < settled) {
    poll(nullptr, 0, 100);
    for (const auto& one : removals)
      if (may_return(one)) (void)caller.call(msg::RemoveHost{.host_id = {one.host}});
  }
}

/// What would become of each host; nothing is changed.
core::Result<int> plan_removals(Caller& caller, const std::vector<std::string>& names) {
  std::optional<core::Error> failure;
  for (const auto& name : names) {
    const auto plan = caller.call(
        msg::PlanChange{.viewer = {.is_operator = true}, .remove_host = msg::RemoveHost{{name}}});
    // It is removed although it still reports itself: its key is revoked first.
    if (plan || plan.error().code == core::ErrorCode::conflict)
      std::cout << "host " << name << " would be removed\n";
    else if (failure)
      failure->detail += "\n" + plan.error().detail;
    else
      failure = plan.error();
  }
  std::cout << "Nothing was changed: this was a plan.\n";
  if (failure) return std::unexpected(*failure);
  return 0;
}

core::Result<int> remove(const RemoveArguments& arguments) {
  const StateDirectory state(arguments.state);
  const auto names = names_of(arguments.hosts);
  if (!names) return std::unexpected(names.error());
  if (const auto head = find_head_entries(state); !head) return std::unexpected(head.error());
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  if (arguments.is_plan) return plan_removals(**opened, *names);
  const auto known = find_known_keys(state);
  std::vector<Removal> removals;
  for (const auto& name : *names) removals.push_back({.host = name});
  attempt(**opened, known, removals);
  std::vector<std::string> removed;
  std::optional<core::Error> failure;
  for (auto& one : removals) {
    const bool is_unknown = !one.outcome && one.outcome.error().code == core::ErrorCode::not_found;
    if (one.outcome || is_unknown)  // one that never reported itself has a key alone
      one.has_just_been_revoked = revoke_host_key(known, one.host);
    if (one.outcome || (is_unknown && (one.was_known || one.has_just_been_revoked)))
      removed.push_back(one.host);
    else if (failure)
      failure->detail += "\n" + one.outcome.error().detail;
    else
      failure = one.outcome.error();
  }
  settle(**opened, removals);
  if (!removed.empty())
    std::cout << fmt::format("{} {} removed\n", shown_hosts(removed),
                             removed.size() == 1 ? "is" : "are");
  if (failure) return std::unexpected(*failure);
  return 0;
}

/// All of them, or none: each change is planned before the first is made.
core::Result<int> set_hosts(const SetArguments& arguments) {
  const auto names = names_of(arguments.hosts);
  if (!names) return std::unexpected(names.error());
  if (arguments.host_class.empty() && !arguments.rack)
    return core::refuse(core::ErrorCode::invalid_argument, "give --class, --rack or both");
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  std::vector<msg::ClassifyHost> changes;
  for (const auto& name : *names) {
    msg::ClassifyHost change{.host_id = {name}, .rack = arguments.rack};
    if (!arguments.host_class.empty()) change.host_class = arguments.host_class;
    const auto plan =
        (*opened)->call(msg::PlanChange{.viewer = {.is_operator = true}, .classify_host = change});
    if (!plan) return std::unexpected(plan.error());
    changes.push_back(std::move(change));
  }
  for (const auto& change : changes) {
    const auto host = (*opened)->call(change);
    if (!host) return std::unexpected(host.error());
    std::cout << fmt::format("host {} is of class {}, {}\n", change.host_id.value, host->host_class,
                             host->rack.empty() ? "in no known rack" : "in rack " + host->rack);
  }
  return 0;
}

void describe_drain(CommandOptions& options, HostArguments& arguments) {
  options.state(arguments.state);
  options.add("HOST", arguments.request.host_id.value, "name of the host").name().required();
  options.add_free_text("--reason", arguments.request.reason, "one line, shown in lists of hosts");
}

void describe_check(CommandOptions& options, HostArguments& arguments) {
  options.state(arguments.state);
  options.add("HOST", arguments.request.host_id.value, "name of the host").name().required();
}

void describe_resume(CommandOptions& options, HostArguments& arguments) {
  arguments.request.is_drained = false;
  options.state(arguments.state);
  options.add("HOST", arguments.request.host_id.value, "name of the host").name().required();
}

}  // namespace

void add_host(Commands& commands) {
  auto group = commands.group("host", "machines that run domains");
  group.add<HostArguments>(
      "list", "list all hosts", list_hosts,
      [](CommandOptions& options, HostArguments& arguments) { options.state(arguments.state); });
  group.add<HostArguments>("drain", "place no new nodes on a host", drain_or_resume,
                           describe_drain);
  group.add<HostArguments>("resume", "undo drain", drain_or_resume, describe_resume);
  group.add<HostArguments>("check", "check the isolation of the clusters on a host now",
                           check_host_isolation, describe_check);
  group.add<AddArguments>(
      "add", "write the files with which machines join as hosts: all of them, or none", add,
      [](CommandOptions& options, AddArguments& arguments) {
        options.state(arguments.state);
        options
            .add("HOST", arguments.hosts,
                 "name of the new host, or a hostlist of up to 4096, for example h[1-200]")
            .required();
        const auto file =
            options.add("--file", arguments.file, "file to write; default: HOST.join");
        options
            .add("--directory", arguments.directory,
                 "directory to write the files HOST.join to; default: the current one")
            .excludes(file);
        options.add("--head-address", arguments.head_address,
                    "address at which this host reaches the head; default: where the head listens");
        const auto renew = options.flag("--renew", arguments.is_renewed,
                                        "replace the host's key once it joins with the new file");
        options
            .flag("--revoke-old", arguments.is_earlier_revoked,
                  "end the old key now: it was stolen")
            .needs(renew);
      });
  group.add<RemoveArguments>(
      "remove", "revoke the keys of hosts and forget them; those that run nodes stay", remove,
      [](CommandOptions& options, RemoveArguments& arguments) {
        options.state(arguments.state);
        options.add("HOST", arguments.hosts, "name of the host, or a hostlist of up to 4096")
            .required();
        options.flag("--plan", arguments.is_plan, "say what would be removed; change nothing");
      });
  group.add<SetArguments>(
      "set", "say which class hosts are of, and in which rack they are", set_hosts,
      [](CommandOptions& options, SetArguments& arguments) {
        options.state(arguments.state);
        options.add("HOST", arguments.hosts, "name of the host, or a hostlist of up to 4096")
            .required();
        options.add("--class", arguments.host_class, "a class: see nucleus class list").name();
        options.add_free_text("--rack", arguments.rack,
                              "computesets are kept in few racks; empty = not known");
      });
}

}  // namespace nucleus::operator_
