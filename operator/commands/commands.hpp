// The commands of `nucleus`: each adds itself to the parser and sets what is to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "core/result.hpp"
#include "operator/deployment.hpp"

namespace nucleus::op {

/// What the chosen command does; its number is the exit code.
using Action = std::function<core::Result<int>()>;

void add_up(CLI::App& app, Action& chosen);
void add_down(CLI::App& app, Action& chosen);
void add_status(CLI::App& app, Action& chosen);
void add_doctor(CLI::App& app, Action& chosen);
void add_cluster(CLI::App& app, Action& chosen);
/// The part of `cluster` that watches: wait, measure.
void add_cluster_watch(CLI::App& group, Action& chosen);
void add_person(CLI::App& app, Action& chosen);
void add_image(CLI::App& app, Action& chosen);
void add_host(CLI::App& app, Action& chosen);
void add_process(CLI::App& app, Action& chosen);
void add_keys(CLI::App& app, Action& chosen);
void add_begin(CLI::App& app, Action& chosen);
void add_supervise(CLI::App& app, Action& chosen);

/// `--state DIR` with its default.
std::shared_ptr<std::string> add_state_option(CLI::App& command);
/// The deployment of a state that `up` has made; else an error that says so.
core::Result<Deployment> open_deployment(const StateDirectory& state);

}  // namespace nucleus::op
