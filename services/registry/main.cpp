// The registry's program.
#include "core/runtime/run_service.hpp"
#include "services/registry/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  return core::run_service("registry", argc, argv,
                           [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                             auto config = registry::Config::from(runtime.settings);
                             if (!config) return std::unexpected(config.error());
                             return std::make_shared<registry::Service>(runtime, *config);
                           });
}
