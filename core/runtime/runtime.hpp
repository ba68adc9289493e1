// The environment of a service: the same in production, in tests and in the simulation.
#pragma once

#include <prometheus/registry.h>

#include <functional>
#include <vector>

#include "core/bus/bus.hpp"
#include "core/config/settings.hpp"
#include "core/loop/loop.hpp"
#include "core/state/store.hpp"

namespace nucleus::core {

struct Runtime {
  Loop& loop;
  Workers& workers;
  Bus& bus;
  Store& store;
  Settings& settings;
  prometheus::Registry& metrics;
  /// Called on the loop at each SIGHUP to reload files. Without a handler, SIGHUP stops the
  /// process.
  std::vector<std::function<void()>> on_hangup = {};
};

}  // namespace nucleus::core
