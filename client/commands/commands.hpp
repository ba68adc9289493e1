// The commands of `comet`: each adds itself to the parser and sets what is to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "client/api.hpp"
#include "client/listing.hpp"
#include "client/session.hpp"
#include "client/terminal.hpp"
#include "client/waiting.hpp"

namespace nucleus::client {

/// What the chosen command does with the server; its number is the exit code.
using Action = std::function<core::Result<int>(const Api&)>;
/// As an action, for a command that needs no server, or not always.
using LocalAction = std::function<core::Result<int>(Session&)>;

/// What the words of a command chose.
struct Chosen {
  Action remote = {};
  LocalAction local = {};
  std::string endpoint = {};  // of --endpoint
};

void add_endpoint(CLI::App& app, Chosen& chosen);    // init, active, reservation
void add_list(CLI::App& app, Action& chosen);        // ll
void add_cluster(CLI::App& app, Action& chosen);     // cluster
void add_computeset(CLI::App& app, Action& chosen);  // computeset, start, terminate
void add_power(CLI::App& app, Action& chosen);       // power
void add_console(CLI::App& app, Action& chosen);     // console
void add_node(CLI::App& app, Action& chosen);        // node info, node rename
void add_image(CLI::App& app, Action& chosen);       // image, iso

void add_shell_basics(CLI::App& app, Chosen& chosen);  // help, echo, pause, ssh, history, quit, …
void add_settings(CLI::App& app, Chosen& chosen);      // default, var, list, refresh, timer, …
void add_elsewhere(CLI::App& app, Chosen& chosen);     // what belongs to other clouds

/// `--format`, checked when the command runs.
std::shared_ptr<std::string> add_format_option(CLI::App& command);

/// Prints a listing; `rest` prints what the server said.
core::Result<int> print(const Listing& listing, const std::string& format, const Json& raw);

/// `--wait` and `--wait-limit`.
void add_wait_options(CLI::App& command, WaitOption& option);

/// The cluster's own JSON.
core::Result<Json> get_cluster(const Api& api, const std::string& cluster);
/// Names of a hostlist; `invalid_argument` says what is wrong with it.
core::Result<std::vector<std::string>> names_in(const std::string& list);
/// All computesets that have not ended.
core::Result<Json> get_active_sets(const Api& api);

/// Starts computes of a cluster: `nodes` by name, or `count` of them.
struct StartArguments {
  std::string cluster = {};
  std::string nodes = {};
  std::uint32_t count = 0;
  std::string allocation = {};
  std::string reservation = {};
  std::string walltime = {};
  WaitOption wait = {};
};
core::Result<int> start_computeset(const Api& api, const StartArguments& arguments);

}  // namespace nucleus::client
