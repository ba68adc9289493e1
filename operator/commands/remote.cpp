// nucleus keys and begin: a deployment whose processes something else runs, containers or systemd.
#include <csignal>
#include <iostream>

#include "core/config/settings.hpp"
#include "messages/process.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"
#include "operator/first_start.hpp"
#include "operator/keys.hpp"

namespace nucleus::op {

namespace {

constexpr core::Milliseconds registry_deadline{60'000};

struct KeysArguments {
  std::string directory = {};
  std::vector<std::string> provisioners = {};
};

core::Result<int> make(const KeysArguments& arguments) {
  if (auto made = make_keys(arguments.directory, arguments.provisioners); !made)
    return std::unexpected(made.error());
  for (const auto& rights : roles(arguments.provisioners))
    std::cout << arguments.directory << "/" << key_folder(rights.name) << "\n";
  return 0;
}

struct BeginArguments {
  std::shared_ptr<std::string> state = {};
  bool is_staying = false;
  EntryPoints entry = {};
};

sigset_t ends() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

core::Result<int> begin(const BeginArguments& arguments) {
  const StateDirectory state(*arguments.state);
  if (!state.is_remote())
    return core::refuse(core::ErrorCode::invalid_argument,
                        state.root() + " holds no key for a bus elsewhere: nucleus keys", "state");
  auto subscriber = core::Settings::load(state.file("subscriber.yaml"));
  if (!subscriber) return std::unexpected(subscriber.error());
  // Before any thread is made: only so does the first process of a container hear of its end.
  const sigset_t signals = ends();
  if (arguments.is_staying) pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  EntryPoints entry = arguments.entry;
  entry.curve = {.server_public = subscriber->text("server_key", ""),
                 .admin_public = subscriber->text("public_key", ""),
                 .admin_secret = subscriber->text("secret_key", "")};
  const auto opened = open_caller(*arguments.state);
  if (!opened) return std::unexpected(opened.error());
  // All that follows is asked of the registry: it may still be on its way.
  const auto registry =
      (*opened)->call(msg::Ping{}, {.to = "registry", .deadline = registry_deadline});
  if (!registry) return std::unexpected(registry.error());
  if (auto prepared = prepare_people(state, entry, **opened); !prepared)
    return std::unexpected(prepared.error());
  std::cout << "project demo, its admin and an operator are there\n  . " << state.root() << "/env"
            << std::endl;
  int signal = 0;
  if (arguments.is_staying) sigwait(&signals, &signal);
  return 0;
}

}  // namespace

void add_keys(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand(
      "keys", "make the keys of processes in containers or on other machines, a folder for each");
  auto arguments = std::make_shared<KeysArguments>();
  command->add_option("DIRECTORY", arguments->directory, "where the folders are")->required();
  command->add_option("--provisioner", arguments->provisioners, "a host's name; may be repeated");
  command->callback([&chosen, arguments] { chosen = [arguments] { return make(*arguments); }; });
}

void add_begin(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand(
      "begin", "what `up` does for its own: project demo, its admin, an operator, DIR/env");
  auto arguments = std::make_shared<BeginArguments>();
  arguments->state = add_state_option(*command);
  command->add_option("--url", arguments->entry.url, "of the gateway, as people reach it")
      ->required();
  command->add_option("--events", arguments->entry.events_url, "of the bus, for subscribers")
      ->required();
  command->add_flag(
      "--stay", arguments->is_staying,
      "then wait for SIGTERM: a container with the operator's key to run commands in");
  command->callback([&chosen, arguments] { chosen = [arguments] { return begin(*arguments); }; });
}

}  // namespace nucleus::op
