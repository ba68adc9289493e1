// The scheduler's program.
#include "core/runtime/run_service.hpp"
#include "services/scheduler/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  return core::run_service("scheduler", argc, argv,
                           [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                             auto config = scheduler::Config::from(runtime.settings);
                             if (!config) return std::unexpected(config.error());
                             return std::make_shared<scheduler::Service>(runtime, *config);
                           });
}
