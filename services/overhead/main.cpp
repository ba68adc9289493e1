// The program nucleus-overhead.
#include <optional>

#include "core/runtime/run_service.hpp"
#include "services/overhead/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  return core::run_service("overhead", argc, argv,
                           [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                             auto config = overhead::Config::from(runtime.settings);
                             if (!config) return std::unexpected(config.error());
                             std::optional<overhead::SigningKey> key;
                             if (!config->signing_key_file.empty()) {
                               auto opened = overhead::SigningKey::open(config->signing_key_file);
                               if (!opened) return std::unexpected(opened.error());
                               key = std::move(*opened);
                             }
                             return std::make_shared<overhead::Service>(runtime, *config, key);
                           });
}
