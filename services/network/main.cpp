// The program nucleus-network.
#include "core/runtime/run_service.hpp"
#include "services/network/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  return core::run_service("network", argc, argv,
                           [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                             auto config = network::Config::from(runtime.settings);
                             if (!config) return std::unexpected(config.error());
                             return std::make_shared<network::Service>(runtime, *config);
                           });
}
