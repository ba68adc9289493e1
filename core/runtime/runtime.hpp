// What a service is given: the same shape in production, in tests and in simulation.
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
  /// Called on the loop at each SIGHUP: read again what may change. Where nobody is, it ends the
  /// process.
  std::vector<std::function<void()>> on_hangup = {};
};

}  // namespace nucleus::core
