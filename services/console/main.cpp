// The console service's program.
#include "core/runtime/run_service.hpp"
#include "services/console/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  return core::run_service("console", argc, argv,
                           [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                             auto config = console::Config::from(runtime.settings);
                             if (!config) return std::unexpected(config.error());
                             return std::make_shared<console::Service>(runtime, *config);
                           });
}
