#include "services/image_store/driver/qcow2_store.hpp"
#include "services/image_store/driver/simulated_store.hpp"

namespace nucleus::image_store {

std::shared_ptr<StoreDriver> make_driver(const Config& config) {
  if (config.driver == DriverName::simulated) return std::make_shared<SimulatedStore>();
  return std::make_shared<Qcow2Store>(config.images_directory, config.volumes_directory);
}

}  // namespace nucleus::image_store
