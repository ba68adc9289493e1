// The program nucleus-overhead.
#include "core/runtime/run_service.hpp"
#include "services/overhead/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  return core::run_service("overhead", argc, argv,
                           [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                             auto config = overhead::Config::from(runtime.settings);
                             if (!config) return std::unexpected(config.error());
                             return std::make_shared<overhead::Service>(runtime, *config);
                           });
}
