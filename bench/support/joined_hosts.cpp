// Many hosts in one process, each as a machine that joined: its own connections to the bus, its own
// key, its own records and its own provisioner. Only the hypervisor is one in memory.
//
//   nucleus-joined-hosts JOIN_FILES STATE CPUS
//
// Runs a host of CPUS for each *.join file of a folder until its input ends. Says `running` once
// all have started.
#include <sys/resource.h>
#include <yaml-cpp/yaml.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <thread>
#include <vector>

#include "core/bus/bus.hpp"
#include "core/bus/zmq_link.hpp"
#include "core/loop/posix_loop.hpp"
#include "core/runtime/runtime.hpp"
#include "core/state/sqlite_journal.hpp"
#include "services/provisioner/service.hpp"
#include "tests/support/fake_hypervisor.hpp"

namespace {

namespace fs = std::filesystem;
using namespace nucleus;

constexpr std::size_t hosts_of_loop = 64;

core::ZmqLinkOptions link_of(const YAML::Node& file) {
  return {.name = "provisioner/" + file["host_id"].as<std::string>(),
          .requests_url = file["bus.requests_url"].as<std::string>(),
          .events_url = file["bus.events_url"].as<std::string>(),
          .keys = {.server_public = file["bus.server_key"].as<std::string>(),
                   .own_public = file["bus.public_key"].as<std::string>(),
                   .own_secret = file["bus.secret_key"].as<std::string>()}};
}

provisioner::Config config_of(const YAML::Node& file, const fs::path& state, std::uint32_t cpus) {
  provisioner::Config config;
  config.driver = provisioner::simulated_driver;
  config.hosts = {{file["host_id"].as<std::string>()}};
  config.state_directory = state;
  config.ping_ms = 10'000;  // its hypervisor never hangs, and all hosts share this machine
  config.cpus = cpus;
  config.memory_mb = 4096ULL * cpus;
  return config;
}

class Host {
 public:
  Host(core::PosixLoop& loop, core::Workers& workers, const YAML::Node& file, const fs::path& state,
       std::uint32_t cpus)
      : link_{loop, link_of(file)},
        journal_{loop, {.path = state / "state.db"}},
        store_{loop, journal_, link_.name()},
        bus_{loop, link_, &store_},
        runtime_{.loop = loop,
                 .workers = workers,
                 .bus = bus_,
                 .store = store_,
                 .settings = settings_,
                 .metrics = metrics_},
        service_{runtime_, config_of(file, state, cpus),
                 std::make_shared<provisioner::FakeHypervisor>()} {
    bus_.start();
  }

 private:
  core::Settings settings_{std::map<std::string, std::string>{}};
  prometheus::Registry metrics_;
  core::ZmqLink link_;
  core::SqliteJournal journal_;
  core::Store store_;
  core::Bus bus_;
  core::Runtime runtime_;
  provisioner::Service service_;
};

/// A loop with its thread, and hosts on it.
class Shard {
 public:
  void add(const YAML::Node& file, const fs::path& state, std::uint32_t cpus) {
    fs::create_directories(state);
    hosts_.push_back(std::make_unique<Host>(loop_, workers_, file, state, cpus));
  }
  bool is_full() const { return hosts_.size() == hosts_of_loop; }
  void start() {
    thread_ = std::thread([this] { loop_.run(); });
  }
  void stop() {
    loop_.stop();
    thread_.join();
    workers_.stop();
  }

 private:
  core::PosixLoop loop_ = {};
  core::ThreadWorkers workers_{1};
  std::vector<std::unique_ptr<Host>> hosts_ = {};
  std::thread thread_ = {};
};

/// Each host has some 20 descriptors.
void allow_many_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: nucleus-joined-hosts JOIN_FILES STATE CPUS\n";
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  allow_many_descriptors();
  const fs::path state = argv[2];
  std::vector<std::unique_ptr<Shard>> shards;
  for (const auto& entry : fs::directory_iterator(argv[1])) {
    if (entry.path().extension() != ".join") continue;
    if (shards.empty() || shards.back()->is_full()) shards.push_back(std::make_unique<Shard>());
    const auto cpus = static_cast<std::uint32_t>(std::stoul(argv[3]));
    shards.back()->add(YAML::LoadFile(entry.path()), state / entry.path().stem(), cpus);
  }
  for (const auto& shard : shards) shard->start();
  std::cout << "running" << std::endl;
  while (std::cin.get() != std::char_traits<char>::eof()) {
  }
  for (const auto& shard : shards) shard->stop();
  return 0;
}
