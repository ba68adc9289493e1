// nucleus process list, config and drain: queries processes over the bus, wherever they run.
#include "messages/process.hpp"

#include <fmt/format.h>

#include <iostream>

#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"
#include "operator/services.hpp"

namespace nucleus::operator_ {

namespace {

constexpr core::Milliseconds reply_timeout{1'000};

struct ListArguments {
  std::string state = {};
};

struct ProcessArguments {
  std::string state = {};
  std::string name = {};
};

std::string shown(const core::Result<msg::ProcessStatus>& answer) {
  if (!answer) return "not responding: " + answer.error().detail;
  const std::string state(msg::name_of(answer->state));
  return answer->reason.empty() ? state : state + ": " + answer->reason;
}

/// The central services; exit code 1 if one of them does not serve.
core::Result<int> list_processes(const ListArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  std::vector<std::future<core::Result<msg::ProcessStatus>>> answers;
  for (const auto& service : services)
    if (!service.is_per_host)
      answers.push_back((*opened)->call_async(
          msg::GetProcessStatus{}, {.to = std::string(service.name), .deadline = reply_timeout}));
  bool are_all_serving = true;
  std::cout << fmt::format("{:<14}{:>12}{:>12}  {}\n", "process", "requests", "event", "state");
  auto next = answers.begin();
  for (const auto& service : services) {
    if (service.is_per_host) continue;
    const auto answer = (next++)->get();
    are_all_serving = are_all_serving && answer && answer->state == msg::ProcessState::serving;
    const auto status = answer.value_or(msg::ProcessStatus{});
    std::cout << fmt::format("{:<14}{:>12}{:>12}  {}\n", service.name, status.requests_in_flight,
                             status.event_handled, shown(answer));
  }
  return are_all_serving ? 0 : 1;
}

core::Result<int> show_config(const ProcessArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto config =
      (*opened)->call(msg::GetProcessConfig{}, {.to = arguments.name, .ends_if_unavailable = true});
  if (!config) return std::unexpected(config.error());
  for (const auto& [key, value] : config->settings)
    std::cout << fmt::format("{}: {}\n", key, value);
  return 0;
}

core::Result<int> drain(const ProcessArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto status =
      (*opened)->call(msg::DrainProcess{}, {.to = arguments.name, .ends_if_unavailable = true});
  if (!status) return std::unexpected(status.error());
  std::cout << fmt::format("{} accepts no new requests until it is restarted; {} in progress\n",
                           arguments.name, status->requests_in_flight);
  return 0;
}

void describe_process(CommandOptions& options, ProcessArguments& arguments) {
  options.state(arguments.state);
  options.add("NAME", arguments.name, "name on the bus: scheduler, provisioner/host-01").required();
}

}  // namespace

void add_process(Commands& commands) {
  auto group = commands.group("process", "state and settings of each process");
  group.add<ListArguments>(
      "list", "list the central services; exit code 1 if one does not serve", list_processes,
      [](CommandOptions& options, ListArguments& arguments) { options.state(arguments.state); });
  group.add<ProcessArguments>("config", "print the settings in effect", show_config,
                              describe_process);
  group.add<ProcessArguments>("drain", "accept no new requests, before the process is stopped",
                              drain, describe_process);
}

}  // namespace nucleus::operator_
