// nucleus process list, config and drain: asks processes themselves, wherever they run.
#include "messages/process.hpp"

#include <fmt/format.h>

#include <array>
#include <iostream>

#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::op {

namespace {

constexpr core::Milliseconds answer_patience{1'000};
constexpr std::array central = {"bus",     "registry",  "network",  "image_store",
                                "console", "scheduler", "overhead", "gateway"};

std::string shown(const core::Result<msg::ProcessStatus>& answer) {
  if (!answer) return "does not answer: " + answer.error().detail;
  const std::string state(msg::name_of(answer->state));
  return answer->reason.empty() ? state : state + ": " + answer->reason;
}

/// Exit code 1 where one does not serve.
core::Result<int> list_processes(const std::string& directory) {
  const auto opened = open_caller(directory);
  if (!opened) return std::unexpected(opened.error());
  std::vector<std::future<core::Result<msg::ProcessStatus>>> answers;
  for (const char* name : central)
    answers.push_back(
        (*opened)->begin(msg::GetProcessStatus{}, {.to = name, .deadline = answer_patience}));
  bool is_sound = true;
  std::cout << fmt::format("{:<14}{:>12}{:>12}  {}\n", "process", "requests", "event", "state");
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto answer = answers[i].get();
    is_sound = is_sound && answer && answer->state == msg::ProcessState::serving;
    const auto status = answer.value_or(msg::ProcessStatus{});
    std::cout << fmt::format("{:<14}{:>12}{:>12}  {}\n", central[i], status.requests_in_flight,
                             status.event_handled, shown(answer));
  }
  return is_sound ? 0 : 1;
}

core::Result<int> show_config(const std::string& directory, const std::string& name) {
  const auto opened = open_caller(directory);
  if (!opened) return std::unexpected(opened.error());
  const auto config = (*opened)->call(msg::GetProcessConfig{}, {.to = name});
  if (!config) return std::unexpected(config.error());
  for (const auto& [key, value] : config->settings)
    std::cout << fmt::format("{}: {}\n", key, value);
  return 0;
}

core::Result<int> drain(const std::string& directory, const std::string& name) {
  const auto opened = open_caller(directory);
  if (!opened) return std::unexpected(opened.error());
  const auto status = (*opened)->call(msg::DrainProcess{}, {.to = name});
  if (!status) return std::unexpected(status.error());
  std::cout << fmt::format("{} takes no new requests until it is restarted; {} under way\n", name,
                           status->requests_in_flight);
  return 0;
}

}  // namespace

void add_process(CLI::App& app, Action& chosen) {
  auto* group = app.add_subcommand("process", "what each process says of itself");
  group->require_subcommand(1);
  auto* all = group->add_subcommand("list", "the central ones; exit code 1 where one ails");
  auto state = add_state_option(*all);
  all->callback([&chosen, state] { chosen = [state] { return list_processes(*state); }; });
  const auto add = [&](const char* verb, const char* what,
                       core::Result<int> (*run)(const std::string&, const std::string&)) {
    auto* command = group->add_subcommand(verb, what);
    auto directory = add_state_option(*command);
    auto name = std::make_shared<std::string>();
    command->add_option("NAME", *name, "on the bus: scheduler, provisioner/host-01")->required();
    command->callback([&chosen, directory, name, run] {
      chosen = [directory, name, run] { return run(*directory, *name); };
    });
  };
  add("config", "its settings in force", show_config);
  add("drain", "take no new requests, before it is stopped", drain);
}

}  // namespace nucleus::op
