// The provisioner's program: one real host, or many simulated ones.
#include "core/loop/posix_loop.hpp"
#include "core/runtime/run_service.hpp"
#include "services/provisioner/driver/host_chunks.hpp"
#include "services/provisioner/driver/lease_file.hpp"
#include "services/provisioner/driver/libvirt_hypervisor.hpp"
#include "services/provisioner/driver/own_address.hpp"
#include "services/provisioner/driver/switch_check.hpp"
#include "services/provisioner/service.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  using provisioner::volume_options;
  return core::run_service(
      "provisioner", argc, argv,
      [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
        auto config = provisioner::Config::from(runtime.settings);
        if (!config) return std::unexpected(config.error());
        config->address = provisioner::own_address(runtime.settings.text("bus.requests_url", ""));
        auto hypervisor = std::make_shared<provisioner::LibvirtHypervisor>(
            config->libvirt_uri, config->profile,
            provisioner::HostAdapters{config->sysfs, config->adapter_functions});
        auto leases = std::make_shared<provisioner::LeaseFile>(config->state_directory,
                                                               config->driver.outlives_process);
        const provisioner::WorkerPools pools{.pings = std::make_shared<core::ThreadWorkers>(1),
                                             .stops = std::make_shared<core::ThreadWorkers>(4),
                                             .guests = std::make_shared<core::ThreadWorkers>(8),
                                             .saves = std::make_shared<core::ThreadWorkers>(2)};
        std::shared_ptr<provisioner::SwitchGuard> guard;
        if (config->driver.has_guests)
          guard = std::make_shared<provisioner::SwitchGuard>(
              provisioner::SwitchGuardOptions{.layout = {.bridge = config->bridge,
                                                         .tap_prefix = config->port_prefix + "-",
                                                         .uplinks = config->uplinks},
                                              .flows_file = config->state_directory + "/flows",
                                              .network_namespace = config->network_namespace,
                                              .switch_directory = config->switch_directory});
        std::shared_ptr<provisioner::LocalVolumes> volumes;
        std::shared_ptr<provisioner::HostChunks> chunks;
        if (config->keeps_chunks()) {
          auto opened = provisioner::HostChunks::open(
              *config, runtime.loop.new_id() + runtime.loop.new_id(), runtime.metrics);
          if (!opened) return std::unexpected(opened.error());
          chunks = std::move(*opened);
        }
        if (config->keeps_volumes())
          volumes = std::make_shared<provisioner::LocalVolumes>(volume_options(*config),
                                                                std::move(chunks));
        std::shared_ptr<provisioner::AddressServers> addresses;
        if (config->driver.has_guests)
          addresses =
              std::make_shared<provisioner::AddressServers>(provisioner::AddressServers::Options{
                  .directory = config->state_directory + "/addresses",
                  .bridge = config->bridge,
                  .network_namespace = config->network_namespace,
                  .tap_prefix = config->port_prefix + "-"});
        return std::make_shared<provisioner::Service>(runtime, *config, std::move(hypervisor),
                                                      pools, std::move(leases), std::move(guard),
                                                      std::move(volumes), std::move(addresses));
      },
      core::Records::on_this_machine);
}
