// The program nucleus-image-store.
#include "core/runtime/run_service.hpp"
#include "services/image_store/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  return core::run_service("image_store", argc, argv,
                           [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                             auto config = image_store::Config::from(runtime.settings);
                             if (!config) return std::unexpected(config.error());
                             return std::make_shared<image_store::Service>(
                                 runtime, *config, image_store::make_driver(*config));
                           });
}
