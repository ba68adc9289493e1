// The image store's program.
#include "core/runtime/run_service.hpp"
#include "services/image_store/driver/qcow2_store.hpp"
#include "services/image_store/driver/simulated_store.hpp"
#include "services/image_store/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  return core::run_service(
      "image_store", argc, argv, [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
        auto config = image_store::Config::from(runtime.settings);
        if (!config) return std::unexpected(config.error());
        std::shared_ptr<image_store::StoreDriver> driver;
        if (config->is_simulated)
          driver = std::make_shared<image_store::SimulatedStore>();
        else
          driver = std::make_shared<image_store::Qcow2Store>(config->images_directory,
                                                             config->volumes_directory);
        return std::make_shared<image_store::Service>(runtime, *config, std::move(driver));
      });
}
