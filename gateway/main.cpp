// The gateway's program.
#include "core/runtime/run_service.hpp"
#include "gateway/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  return core::run_service("gateway", argc, argv,
                           [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                             auto config = gateway::Config::from(runtime.settings);
                             if (!config) return std::unexpected(config.error());
                             return std::make_shared<gateway::Service>(runtime, *config);
                           });
}
