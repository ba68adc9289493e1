// How long does an image take to reach many hosts at once, and what does the image store send?
// A: hosts that fetch chunks from the store and from each other. B: one of them alone. Each host,
// and the store, is a process in a network namespace, behind links of a limited rate. Needs root.
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "core/runtime/child_process.hpp"
#include "core/tls/authority.hpp"
#include "services/image_store/driver/file_server.hpp"
#include "services/provisioner/driver/host_chunks.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using namespace nucleus;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t mebibyte = 1 << 20;
constexpr int readers_of_host = 4;  // as a few guests
constexpr int store_port = 5573;
constexpr int host_port = 9410;
constexpr double time_goal = 1.5;    // times B
constexpr double origin_goal = 3.0;  // images

struct Options {
  std::map<std::string, int> numbers = {
      {"hosts", 64}, {"image-mb", 100}, {"mbit", 100}, {"store-mbit", 100}};
  int operator[](const std::string& name) const { return numbers.at(name); }
};

void require(bool is_true, const std::string& what) {
  if (!is_true) throw std::runtime_error("cannot measure: " + what);
}

void run(const std::string& command) {
  std::istringstream words(command);
  core::ChildCommand child{.argv = {std::istream_iterator<std::string>(words), {}},
                           .deadline = std::chrono::milliseconds{60'000}};
  const auto ran = core::must_run_child(child);
  require(ran.has_value(), command + ": " + (ran ? "" : ran.error().detail));
}

std::string address_of(int number) {  // the store is 1, hosts follow
  return fmt::format("10.77.{}.{}", number / 250, 1 + number % 250);
}

std::string namespace_of(int number) {
  return fmt::format("nucleus-fanout-{}", number);
}

/// A switch with a link of a limited rate, in both directions, to each machine.
class Network {
 public:
  explicit Network(const Options& options) : machines_{options["hosts"] + 1} {
    run("ip netns add " + hub_);
    run("ip -n " + hub_ + " link add hub type bridge");
    run("ip -n " + hub_ + " link set hub up");
    for (int i = 0; i < machines_; ++i) add(i, options[i == 0 ? "store-mbit" : "mbit"]);
  }
  ~Network() {
    for (int i = 0; i < machines_; ++i) std::ignore = remove(namespace_of(i));
    std::ignore = remove(hub_);
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

 private:
  void add(int number, int mbit) const {
    const auto own = namespace_of(number);
    const auto port = fmt::format("port{}", number);
    run("ip netns add " + own);
    run(fmt::format("ip -n {} link add eth0 type veth peer name {} netns {}", own, port, hub_));
    run(fmt::format("ip -n {} addr add {}/16 dev eth0", own, address_of(number)));
    for (const auto* link : {"lo", "eth0"}) run(fmt::format("ip -n {} link set {} up", own, link));
    run(fmt::format("ip -n {} link set {} master hub up", hub_, port));
    const auto limit = fmt::format("tbf rate {}mbit burst 128kb latency 100ms", mbit);
    run(fmt::format("tc -n {} qdisc add dev eth0 root {}", own, limit));
    run(fmt::format("tc -n {} qdisc add dev {} root {}", hub_, port, limit));
  }
  static bool remove(const std::string& name) {
    return core::must_run_child({.argv = {"ip", "netns", "del", name}}).has_value();
  }

  const int machines_;
  const std::string hub_ = "nucleus-fanout-hub";
};

/// This program in a namespace, in another role; it answers each line with a line.
class Machine {
 public:
  Machine(int number, const std::vector<std::string>& role) {
    int input[2];
    int output[2];
    require(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0, "no pipe");
    const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
    std::vector<std::string> words{"ip", "netns", "exec", namespace_of(number), self};
    words.insert(words.end(), role.begin(), role.end());
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(input[0], 0);
      dup2(output[1], 1);
      std::vector<char*> argv;
      for (auto& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(input[0]);
    close(output[1]);
    to_ = input[1];
    from_ = fdopen(output[0], "r");
  }
  ~Machine() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(to_);
    std::ignore = fclose(from_);
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void tell(const std::string& line) const {
    require(write(to_, (line + "\n").data(), line.size() + 1) > 0, "a process has ended");
  }
  std::vector<double> hear() const {
    char line[256];
    require(fgets(line, sizeof line, from_) != nullptr, "a process has ended");
    std::istringstream words(line);
    return {std::istream_iterator<double>(words), {}};
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  FILE* from_ = nullptr;
};

/// The image store: prints the bytes of chunks it has sent for each line.
int be_store(const std::string& folder) {
  prometheus::Registry registry;
  image_store::Metrics metrics(registry);
  auto certificate = core::Certificate::open({folder + "/store.pem", folder + "/store.key"});
  if (!certificate) throw std::runtime_error(certificate.error().detail);
  const image_store::FileServer server(
      core::http::ServerOptions{
          .listen = {.endpoint = {.address = address_of(0), .port = store_port},
                     .certificate = *certificate}},
      metrics,
      [&](const auto& request, const auto& done) { done(folder + "/" + request.content_id); },
      nullptr);
  std::cout << "0" << std::endl;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << metrics.chunk_bytes_sent.Value() << std::endl;
  return 0;
}

void read_all(provisioner::ChunkFetcher& fetcher, std::uint64_t size) {
  std::atomic<std::uint64_t> next = 0;
  std::vector<std::jthread> readers;
  for (int i = 0; i < readers_of_host; ++i)
    readers.emplace_back([&] {
      for (auto at = next.fetch_add(mebibyte); at < size; at = next.fetch_add(mebibyte))
        if (!fetcher.read("image", at, std::min(mebibyte, size - at)))
          throw std::runtime_error("a chunk was not read");
    });
}

/// A host: joins at its start, then reads the image for the first line, and serves others until the
/// end. Prints seconds, bytes from the store, bytes from hosts, faults of hosts.
int be_host(const std::string& folder, const std::string& state, const std::string& address) {
  provisioner::Config config{.hosts = {{address}}, .state_directory = state};
  config.image_store_url = "https://" + address_of(0) + ":" + std::to_string(store_port);
  config.ca_file = folder + "/ca.pem";
  config.chunk_endpoint = core::Endpoint{.address = address, .port = host_port};
  prometheus::Registry registry;
  const auto chunks =
      provisioner::HostChunks::open(config, core::sha256_hex(address), registry).value();
  auto& fetcher = chunks->fetcher();
  fetcher.add_needed("image", "ticket");
  const auto size = fetcher.size_bytes("image").value();
  std::cout << "0" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  // As the provisioner does every second.
  fetcher.set_needed({{"image", {"ticket"}}});
  const auto begin = Clock::now();
  read_all(fetcher, size);
  const auto& metrics = chunks->metrics();
  std::cout << std::chrono::duration<double>(Clock::now() - begin).count() << " "
            << metrics.store_bytes.Value() << " " << metrics.peer_bytes.Value() << " "
            << metrics.peers_unavailable.Value() + metrics.peers_refusing.Value() << std::endl;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}

void make_image(const std::string& folder, std::uint64_t bytes) {
  std::ofstream file(folder + "/image", std::ios::binary);
  std::mt19937_64 random{1};
  for (std::uint64_t at = 0; at < bytes; at += 8) {
    const auto word = random();
    file.write(reinterpret_cast<const char*>(&word), 8);
  }
  require(file.good(), "the image cannot be written");
}

struct Result {
  double seconds = 0;  // until the last host has all
  double origin_bytes = 0;
  double faults = 0;
};

Result measure(const std::string& folder, int hosts, const std::string& round) {
  const Machine store(0, {"store", folder});
  std::ignore = store.hear();
  std::vector<std::unique_ptr<Machine>> all;
  for (int i = 1; i <= hosts; ++i)
    all.push_back(std::make_unique<Machine>(
        i, std::vector<std::string>{"host", folder, folder + "/" + round + "-" + std::to_string(i),
                                    address_of(i)}));
  for (const auto& host : all) std::ignore = host->hear();
  for (const auto& host : all) host->tell("go");
  Result result;
  for (const auto& host : all) {
    const auto figures = host->hear();
    result.seconds = std::max(result.seconds, figures.at(0));
    result.faults += figures.at(3);
  }
  store.tell("figures");
  result.origin_bytes = store.hear().at(0);
  return result;
}

void judge(const std::string& what, double value, double goal) {
  fmt::print("  {:<50} {:.2f}   goal {} {}\n", what, value, goal,
             value <= goal ? "reached" : "MISSED");
}

int measure_all(const Options& options) {
  const tests::TemporaryFolder temporary;
  const auto folder = temporary.path();
  require(core::make_authority({folder + "/ca.pem", folder + "/ca.key"}, "fanout").has_value() &&
              core::issue_certificate({folder + "/ca.pem", folder + "/ca.key"},
                                      {.names = {"store"}, .addresses = {address_of(0)}},
                                      {folder + "/store.pem", folder + "/store.key"})
                  .has_value(),
          "no certificates");
  const auto bytes = static_cast<std::uint64_t>(options["image-mb"]) * mebibyte;
  make_image(folder, bytes);
  require(image_store::make_chunk_list(folder + "/image").has_value(), "no list of chunks");
  const Network network(options);
  const auto one = measure(folder, 1, "one");
  const auto many = measure(folder, options["hosts"], "many");
  fmt::print("  one host (B): {:.1f} s; {} hosts (A): {:.1f} s, faults {}\n", one.seconds,
             options["hosts"], many.seconds, many.faults);
  judge("time of all hosts, times B", many.seconds / one.seconds, time_goal);
  judge("images that the store sent", many.origin_bytes / static_cast<double>(bytes), origin_goal);
  double load = 0;
  getloadavg(&load, 1);
  fmt::print("  (load {:.1f} on {} CPUs)\n", load, std::thread::hardware_concurrency());
  return 0;
}

Options parse(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    const auto name = words[i].substr(std::min<std::size_t>(2, words[i].size()));
    require(options.numbers.contains(name), "no such option: " + words[i]);
    options.numbers[name] = std::stoi(words[i + 1]);
  }
  require(options["hosts"] >= 1 && options["hosts"] <= 2000 && options["image-mb"] >= 1,
          "--hosts 1..2000, --image-mb 1..");
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  spdlog::set_level(spdlog::level::off);
  try {
    if (words.size() == 2 && words[0] == "store") return be_store(words[1]);
    if (words.size() == 4 && words[0] == "host") return be_host(words[1], words[2], words[3]);
    return measure_all(parse(words));
  } catch (const std::exception& error) {
    fmt::print(stderr, "fanout: {}\n", error.what());
    return 1;
  }
}
