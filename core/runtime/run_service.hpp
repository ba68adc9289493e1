// The main function of every service: settings, log, metrics, loop, link, store, bus; then the
// room; then a clean end.
#pragma once

#include <functional>
#include <memory>

#include "core/runtime/runtime.hpp"

namespace nucleus::core {

/// Builds the room. It reads its settings from `runtime.settings`; a setting out of bounds is its
/// error.
using BuildRoom = std::function<Result<std::shared_ptr<void>>(Runtime& runtime)>;

/// Runs service `name` until SIGTERM or SIGINT; the process's exit code. 2 = bad settings, 3 =
/// another took over. Common settings: bus.requests_url, bus.events_url, redis.socket,
/// metrics.listen; `--config FILE` and environment.
int run_service(const std::string& name, int argc, char** argv, const BuildRoom& build);

}  // namespace nucleus::core
