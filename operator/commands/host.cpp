// nucleus host: list, drain, resume; add and remove, for hosts that join over the network.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iostream>

#include "messages/scheduler.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"
#include "operator/join_file.hpp"
#include "operator/processes.hpp"
#include "operator/tables.hpp"

namespace nucleus::operator_ {

namespace {

constexpr std::chrono::seconds removal_timeout{20};
constexpr std::chrono::seconds revocation_timeout{2};  // then the bus accepts nothing more of a key
constexpr std::chrono::hours renewal_timeout{24};      // the earlier key is valid no longer

struct HostArguments {
  std::string state = {};
  msg::DrainHost request = {};
};

struct AddArguments {
  std::string state = {};
  std::string name = {};
  std::string file = {};
  std::string head_address = {};
  bool is_renewed = false;
  bool is_earlier_revoked = false;
};

struct RemoveArguments {
  std::string state = {};
  std::string name = {};
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

core::Result<int> drain_or_resume(const HostArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto& request = arguments.request;
  if (auto done = (*opened)->call(request); !done) return std::unexpected(done.error());
  std::cout << fmt::format("host {} is {}\n", request.host_id.value,
                           request.is_drained ? "drained: no new nodes start there" : "resumed");
  return 0;
}

/// Before a key is made, or replaced, that the file could not hold.
core::Result<void> check_writable(const std::string& file) {
  std::error_code error;
  const auto folder = std::filesystem::absolute(file, error).parent_path();
  if (std::filesystem::is_directory(file, error) || access(folder.c_str(), W_OK) != 0)
    return core::refuse(core::ErrorCode::invalid_argument, "--file: cannot write " + file, "file");
  return {};
}

core::Result<int> add(const AddArguments& arguments) {
  const StateDirectory state(arguments.state);
  if (arguments.name == "simulated")
    return core::refuse(core::ErrorCode::invalid_argument,
                        "HOST: the process of all simulated hosts is named simulated", "host");
  auto head = find_head_entries(state);
  if (!head) return std::unexpected(head.error());
  if (!arguments.head_address.empty())
    if (auto set = set_head_address(state, *head, arguments.head_address); !set)
      return std::unexpected(set.error());
  const bool has_key = has_host_key(state, arguments.name);
  if (has_key && !arguments.is_renewed)
    return core::refuse(core::ErrorCode::conflict,
                        "host " + msg::shown(arguments.name) + " has a key: --renew replaces it",
                        "host");
  const std::string file = arguments.file.empty() ? arguments.name + ".join" : arguments.file;
  if (auto writable = check_writable(file); !writable) return std::unexpected(writable.error());
  const bool is_earlier_kept = has_key && !arguments.is_earlier_revoked;
  const auto end_unix_s = unix_ms_now() / 1000 + std::chrono::seconds{renewal_timeout}.count();
  const bool is_loopback = text_of(*head, "bus.requests_url").starts_with("tcp://127.0.0.1:");
  const auto key =
      add_host_key(state, std::move(*head), arguments.name, is_earlier_kept ? end_unix_s : 0);
  if (!key) return std::unexpected(key.error());
  if (auto written = write_text_map(file, *key); !written) return std::unexpected(written.error());
  std::cout << fmt::format("{}: copy it to the host and run there: nucleus join {}\n", file, file);
  if (is_earlier_kept)
    std::cout << fmt::format(
        "the old key ends when the host has joined with this file, or in {} hours\n",
        renewal_timeout.count());
  if (is_loopback)
    std::cout << "the bus listens on 127.0.0.1 only; for other machines: nucleus down, then "
                 "nucleus up --bus-listen ADDRESS, then host add --renew\n";
  return 0;
}

/// Whether another attempt may succeed. The first one may have had its effect.
bool is_worth_repeating(core::ErrorCode code) {
  return code == core::ErrorCode::conflict || code == core::ErrorCode::unavailable ||
         code == core::ErrorCode::deadline_exceeded || code == core::ErrorCode::unknown_outcome;
}

/// A host that still reports itself has its key revoked, and is removed once it counts as silent.
core::Result<int> remove(const RemoveArguments& arguments) {
  const StateDirectory state(arguments.state);
  if (const auto head = find_head_entries(state); !head) return std::unexpected(head.error());
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const msg::RemoveHost request{.host_id = {arguments.name}};
  const auto deadline = std::chrono::steady_clock::now() + removal_timeout;
  auto removed = (*opened)->call(request);
  bool was_known = false;  // by a key, or by an attempt whose outcome was not seen
  while (!removed && is_worth_repeating(removed.error().code) &&
         std::chrono::steady_clock::now() < deadline) {
    if (removed.error().code == core::ErrorCode::conflict)
      was_known = revoke_host_key(state, arguments.name) || was_known;
    else
      was_known = true;
    poll(nullptr, 0, 100);
    removed = (*opened)->call(request);
  }
  if (!removed && removed.error().code != core::ErrorCode::not_found)
    return std::unexpected(removed.error());
  // One that never reported itself has a key alone.
  const bool has_just_been_revoked = revoke_host_key(state, arguments.name);
  if (!removed && !was_known && !has_just_been_revoked) return std::unexpected(removed.error());
  // A report that is under way adds the host again.
  const auto settled = std::chrono::steady_clock::now() + revocation_timeout;
  while (removed && has_just_been_revoked && std::chrono::steady_clock::now() < settled) {
    poll(nullptr, 0, 100);
    (void)(*opened)->call(request);
  }
  std::cout << "host " << arguments.name << " is removed\n";
  return 0;
}

void describe_drain(CommandOptions& options, HostArguments& arguments) {
  options.state(arguments.state);
  options.add("HOST", arguments.request.host_id.value, "name of the host").name().required();
  options.add_free_text("--reason", arguments.request.reason, "one line, shown in lists of hosts");
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
  group.add<AddArguments>(
      "add", "write the file with which a machine joins as a host", add,
      [](CommandOptions& options, AddArguments& arguments) {
        options.state(arguments.state);
        options.add("HOST", arguments.name, "name of the new host").name().required();
        options.add("--file", arguments.file, "file to write; default: HOST.join");
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
      "remove", "revoke a host's key and forget the host; it must run no nodes", remove,
      [](CommandOptions& options, RemoveArguments& arguments) {
        options.state(arguments.state);
        options.add("HOST", arguments.name, "name of the host").name().required();
      });
}

}  // namespace nucleus::operator_
