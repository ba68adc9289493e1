// What a service is given: the same shape in production, in tests and in simulation.
#pragma once

#include <prometheus/registry.h>

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
};

}  // namespace nucleus::core
