// The main function of every service: sets up settings, log, metrics, loop, link, store and bus,
// builds the room, runs the loop, and shuts down.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/runtime/runtime.hpp"

namespace nucleus::core {

/// Builds the room. Fails if a setting in `runtime.settings` is invalid.
using BuildRoom = std::function<Result<std::shared_ptr<void>>(Runtime& runtime)>;

/// Where the records of a service are: in the deployment's Redis (`redis.socket`), or in an SQLite
/// file of its own machine (`state.file`).
enum class Records : std::uint8_t { in_redis, on_this_machine };

/// Runs service `name` until SIGTERM or SIGINT and returns the exit code: 2 = invalid settings, 3 =
/// another process took over the service. Common settings: bus.requests_url, bus.events_url,
/// metrics.listen; `--config FILE` and environment.
int run_service(const std::string& name, int argc, char** argv, const BuildRoom& build,
                Records records = Records::in_redis);

}  // namespace nucleus::core
