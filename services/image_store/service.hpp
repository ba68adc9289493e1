// The image store publishes images that passed their checks, and makes the volume of each node. It
// alone writes images and volumes. Runs on the service's loop; files are touched on workers.
#pragma once

#include "services/image_store/images.hpp"
#include "services/image_store/volumes.hpp"

namespace nucleus::image_store {

class Service {
 public:
  Service(core::Runtime& runtime, Config config, std::shared_ptr<StoreDriver> driver);

 private:
  void load();

  core::Store& store_;
  const Config config_;
  Metrics metrics_;
  View view_ = {};
  Volumes volumes_;
  Images images_;
};

}  // namespace nucleus::image_store
