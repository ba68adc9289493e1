// The main function of every service: sets up settings, log, metrics, loop, link, store and bus,
// builds the room, runs the loop, and shuts down.
#pragma once

#include <functional>
#include <memory>

#include "core/runtime/runtime.hpp"

namespace nucleus::core {

/// Builds the room. Fails if a setting in `runtime.settings` is invalid.
using BuildRoom = std::function<Result<std::shared_ptr<void>>(Runtime& runtime)>;

/// Runs service `name` until SIGTERM or SIGINT and returns the exit code: 2 = invalid settings, 3 =
/// another process took over the service. Common settings: bus.requests_url, bus.events_url,
/// redis.socket, metrics.listen; `--config FILE` and environment.
int run_service(const std::string& name, int argc, char** argv, const BuildRoom& build);

}  // namespace nucleus::core
