// What does the way from a viewer to a guest's serial console cost: a keystroke's echo, bytes per
// second, and memory for each idle viewer?
// A: the console service, and a host's part of it. B: websockify. Floor: a client of the guest's
// socket. The guest is a socket and a log, as QEMU serves them, and the same in all three.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <map>
#include <numeric>

#include "core/http/websocket_client.hpp"
#include "tests/support/console_host.hpp"
#include "tests/support/console_socket.hpp"
#include "tests/support/free_port.hpp"

namespace {

using namespace nucleus;
using namespace nucleus::tests;
using Clock = std::chrono::steady_clock;

constexpr int rounds = 5;
constexpr int keystrokes = 1'000;  // of each round
constexpr std::size_t flood_bytes = 64 << 20;
constexpr std::size_t message_bytes = 16 << 10;
constexpr int idle_viewers = 500;
constexpr int idle_websockifies = 20;
constexpr std::int64_t log_bytes_max = std::int64_t{4} << 30;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// By nearest rank.
double quantile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values[std::min(rank, values.size() - 1)];
}

void require(bool is_true, const std::string& what) {
  if (!is_true) throw std::runtime_error("cannot measure: " + what);
}

/// A program that ends with this one.
class Program {
 public:
  explicit Program(std::vector<std::string> words) : pid_{fork()} {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (auto* stream : {stdout, stderr}) std::ignore = freopen("/dev/null", "w", stream);
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  ~Program() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

/// KiB of this process's memory that is its own, and its share of what it has in common.
std::int64_t memory_kib(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/smaps_rollup", pid));
  for (std::string word; file >> word;)
    if (word == "Pss:" && file >> word) return std::stoll(word);
  return 0;
}

/// With those that it started.
std::int64_t family_kib(pid_t pid) {
  std::int64_t sum = memory_kib(pid);
  std::ifstream file(fmt::format("/proc/{}/task/{}/children", pid, pid));
  for (pid_t child = 0; file >> child;) sum += memory_kib(child);
  return sum;
}

/// One way to a guest, of which the calling thread waits for each byte.
class Line {
 public:
  virtual ~Line() = default;
  virtual void send(const std::string& bytes) = 0;
  virtual void receive(std::size_t count) = 0;
};

class DirectLine : public Line {
 public:
  explicit DirectLine(const std::string& path) : socket_{socket(AF_UNIX, SOCK_STREAM, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    require(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, path);
  }
  ~DirectLine() override { close(socket_); }
  void send(const std::string& bytes) override {
    require(::send(socket_, bytes.data(), bytes.size(), 0) > 0, "the guest's socket");
  }
  void receive(std::size_t count) override {
    while (count > 0) {
      const auto size = recv(socket_, buffer_.data(), std::min(buffer_.size(), count), 0);
      require(size > 0, "the guest's socket");
      count -= static_cast<std::size_t>(size);
    }
  }

 private:
  int socket_;
  std::array<char, 65536> buffer_ = {};
};

class WebSocketLine : public Line {
 public:
  explicit WebSocketLine(core::http::WebSocketTarget target) {
    target.message_bytes_max = 1 << 20;
    std::optional<core::Result<std::shared_ptr<core::http::WebSocket>>> opened;
    core::http::open_websocket(context_.get_executor(), std::move(target),
                               [&](auto result) { opened = std::move(result); });
    run_until([&] { return opened.has_value(); });
    require(opened->has_value(), *opened ? "" : opened->error().detail);
    socket_ = **opened;
    read();
  }
  void send(const std::string& bytes) override {
    bool is_sent = false;
    socket_->send(bytes, [&](auto) { is_sent = true; });
    run_until([&] { return is_sent; });
  }
  void receive(std::size_t count) override {
    run_until([&] { return received_ >= count; });
    received_ -= count;
  }

 private:
  void read() {
    socket_->receive([this](std::optional<std::string_view> message) {
      if (!message) return;
      if (!socket_->is_text()) received_ += message->size();
      read();
    });
  }
  template <class Condition>
  void run_until(Condition is_done) {
    context_.restart();
    while (!is_done()) require(context_.run_one_for(wait_timeout) > 0, "a viewer got no bytes");
  }

  boost::asio::io_context context_{1};
  std::shared_ptr<core::http::WebSocket> socket_ = {};
  std::size_t received_ = 0;
};

/// A guest's socket, which takes its clients and sends nothing.
class Silence {
 public:
  explicit Silence(const std::string& path) : listener_{socket(AF_UNIX, SOCK_STREAM, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    require(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                listen(listener_, idle_websockifies) == 0,
            path);
  }
  ~Silence() { close(listener_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  int listener() const { return listener_; }

 private:
  int listener_;
};

/// The same, which sends `flood_bytes` to each, one after another.
class Flood {
 public:
  explicit Flood(const std::string& path) : socket_{path}, thread_{[this] { run(); }} {}
  ~Flood() {
    shutdown(socket_.listener(), SHUT_RDWR);  // ends accept()
  }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

 private:
  void run() const {
    const std::string message(message_bytes, '#');
    for (int client = -1; (client = accept(socket_.listener(), nullptr, nullptr)) >= 0;
         close(client)) {
      std::size_t sent = 0;
      for (ssize_t size = 1; size > 0 && sent < flood_bytes;
           sent += static_cast<std::size_t>(std::max<ssize_t>(size, 0)))
        size = send(client, message.data(), message.size(), MSG_NOSIGNAL);
      std::array<char, 1> byte{};
      std::ignore = recv(client, byte.data(), byte.size(), 0);  // until it leaves
    }
  }
  Silence socket_;
  std::jthread thread_;
};

/// The console service's program with a bus, a registry and a host, and guests.
class Site {
 public:
  Site() {
    for (int i = 0; i < idle_viewers; ++i) add(fmt::format("idle{}", i));
    for (const char* name : {"echo", "echo-b", "echo-direct", "flood"}) add(name);
    host_ = std::make_unique<Process>(
        deployment_, "provisioner/h1", std::map<std::string, std::string>{},
        [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          return std::make_shared<ConsoleHost>(
              runtime, paths_,
              provisioner::ConsoleServiceAddress{
                  .endpoint = {.address = "127.0.0.1", .port = hosts_port_}},
              log_bytes_max);
        });
    std::ofstream(folder_.file("console.yaml"))
        << "bus.requests_url: " << deployment_.requests_url()
        << "\nbus.events_url: " << deployment_.events_url()
        << "\nredis.socket: " << deployment_.redis.socket_path()
        << "\nconsole.listen: 127.0.0.1:" << port_
        << "\nconsole.hosts_listen: 127.0.0.1:" << hosts_port_
        << "\nconsole.connections_per_address_max: 10000\n";
    service_ = std::make_unique<Program>(std::vector<std::string>{
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "nucleus-console",
        "--config", folder_.file("console.yaml")});
    require(eventually([this] { return issue("echo").has_value(); }), "no console service");
  }

  core::Result<msg::ConsoleTicket> issue(const std::string& node) {
    return caller_.call(msg::IssueTicket{.node_id = {node},
                                         .kind = msg::ConsoleKind::serial,
                                         .host_id = {"h1"},
                                         .person_id = {"p1"},
                                         .project_id = {"lab"},
                                         .token_id = "t1",
                                         .person_uid = "u1",
                                         .cluster_id = {"vc"},
                                         .node_name = node},
                        {.deadline = wait_timeout});
  }
  std::unique_ptr<WebSocketLine> view(const std::string& node) {
    const auto ticket = issue(node);
    require(ticket.has_value(), ticket ? "" : ticket.error().detail);
    return std::make_unique<WebSocketLine>(core::http::WebSocketTarget{
        .endpoint = {.address = "127.0.0.1", .port = port_},
        .path = "/console?from=end",
        .subprotocols = {"nucleus.console.v2", "nucleus.ticket." + ticket->ticket}});
  }
  const ConsoleSocket& guest(const std::string& name) const { return *guests_.at(name); }
  std::string socket_of(const std::string& name) const { return folder_.file(name + ".serial"); }
  pid_t service() const { return service_->pid(); }

 private:
  void add(const std::string& name) {
    paths_[name] = {.serial_socket = socket_of(name), .serial_log = folder_.file(name + ".log")};
    guests_[name] = std::make_unique<ConsoleSocket>(socket_of(name), "");
  }

  TemporaryFolder folder_ = {};
  ConsoleHost::Paths paths_ = {};
  std::map<std::string, std::unique_ptr<ConsoleSocket>> guests_ = {};
  std::uint16_t port_ = static_cast<std::uint16_t>(free_port());
  std::uint16_t hosts_port_ = static_cast<std::uint16_t>(free_port());
  Deployment deployment_ = {};
  Credentials credentials_ = {};
  StandIn registry_{deployment_, "registry",
                    [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                      return std::make_shared<CredentialRoom>(runtime, credentials_);
                    }};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> host_ = {};
  std::unique_ptr<Program> service_ = {};
};

/// websockify in front of a guest's socket.
class Websockify {
 public:
  explicit Websockify(const std::string& socket)
      : program_{{"websockify", "--unix-target=" + socket, fmt::format("127.0.0.1:{}", port_)}} {}
  std::unique_ptr<WebSocketLine> view() const {
    std::unique_ptr<WebSocketLine> line;
    require(eventually([&] {
              try {
                line = std::make_unique<WebSocketLine>(
                    core::http::WebSocketTarget{.endpoint = {.address = "127.0.0.1", .port = port_},
                                                .path = "/",
                                                .subprotocols = {"binary"}});
              } catch (const std::runtime_error&) {  // it does not listen yet
              }
              return line != nullptr;
            }),
            "websockify does not start");
    return line;
  }
  pid_t pid() const { return program_.pid(); }

 private:
  std::uint16_t port_ = static_cast<std::uint16_t>(free_port());
  Program program_;
};

void measure_echo(Site& site) {
  const auto nucleus = site.view("echo");
  const Websockify websockify(site.socket_of("echo-b"));
  const auto other = websockify.view();
  DirectLine direct(site.socket_of("echo-direct"));
  const std::vector<std::pair<const char*, Line*>> lines = {{"A: Nucleus", nucleus.get()},
                                                            {"B: websockify", other.get()},
                                                            {"floor: the socket", &direct}};
  std::vector<std::vector<double>> took(lines.size());
  for (int round = 0; round <= rounds; ++round)  // the first one is a warm-up
    for (std::size_t i = 0; i < lines.size(); ++i)
      for (int key = 0; key < keystrokes; ++key) {
        const auto begin = Clock::now();
        lines[i].second->send("x");
        lines[i].second->receive(1);
        if (round > 0) took[i].push_back(seconds_since(begin) * 1e6);
      }
  for (std::size_t i = 0; i < lines.size(); ++i)
    fmt::print("  echo, {:<20} p50 {:7.0f} us, p99 {:7.0f} us\n", lines[i].first,
               quantile(took[i], 0.5), quantile(took[i], 0.99));
  const double added_a = quantile(took[0], 0.5) - quantile(took[2], 0.5);
  const double added_b = quantile(took[1], 0.5) - quantile(took[2], 0.5);
  fmt::print("  adds {:.0f} us, websockify {:.0f} us: {:.2f} x   goal (1 x) {}\n", added_a, added_b,
             added_a / added_b, added_a <= added_b ? "reached" : "MISSED");
}

void measure_throughput(Site& site, const std::string& flood_socket) {
  const Websockify websockify(flood_socket);
  std::map<std::string, std::vector<double>> rates;
  constexpr double mb = flood_bytes / 1e6;
  for (int round = 0; round < rounds; ++round) {
    {
      const auto viewer = site.view("flood");
      viewer->send("x");  // its echo shows that the stream is there
      viewer->receive(1);
      const auto begin = Clock::now();
      std::jthread guest([&] {
        const std::string message(message_bytes, '#');
        for (std::size_t sent = 0; sent < flood_bytes; sent += message.size())
          site.guest("flood").print(message);
      });
      viewer->receive(flood_bytes);
      rates["A: Nucleus"].push_back(mb / seconds_since(begin));
    }
    {
      const auto viewer = websockify.view();
      const auto begin = Clock::now();
      viewer->receive(flood_bytes);
      rates["B: websockify"].push_back(mb / seconds_since(begin));
    }
    DirectLine direct(flood_socket);
    const auto begin = Clock::now();
    direct.receive(flood_bytes);
    rates["floor: the socket"].push_back(mb / seconds_since(begin));
  }
  for (const auto& [name, values] : rates)
    fmt::print("  {:<26} {:7.0f} MB/s\n", name, quantile(values, 0.5));
  const double ratio = quantile(rates["A: Nucleus"], 0.5) / quantile(rates["B: websockify"], 0.5);
  fmt::print("  throughput {:.2f} x websockify's   goal (3 x) {}\n", ratio,
             ratio >= 3 ? "reached" : "MISSED");
}

void measure_memory(Site& site, const std::string& silent_socket) {
  const auto before = memory_kib(site.service());
  std::vector<std::unique_ptr<WebSocketLine>> viewers;
  for (int i = 0; i < idle_viewers; ++i) {
    viewers.push_back(site.view(fmt::format("idle{}", i)));
    viewers.back()->send("x");  // its echo shows that the stream is there
    viewers.back()->receive(1);
  }
  const auto after = memory_kib(site.service());
  viewers.clear();
  const Websockify websockify(silent_socket);
  std::vector<std::unique_ptr<WebSocketLine>> others = {};
  others.push_back(websockify.view());
  const auto one = family_kib(websockify.pid());
  for (int i = 1; i < idle_websockifies; ++i) others.push_back(websockify.view());
  const auto all = family_kib(websockify.pid());
  const auto each = (after - before) / idle_viewers;
  fmt::print("  {} idle consoles: {:.1f} MB in all, {} KiB each; websockify {} KiB each\n",
             idle_viewers, static_cast<double>(after) / 1024, each,
             (all - one) / (idle_websockifies - 1));
  fmt::print("  goal (50 MB in all, 100 KB each) {}\n",
             after <= 50 * 1024 && each <= 100 ? "reached" : "MISSED");
}

}  // namespace

int main() {
  constexpr rlim_t files_max = 16'384;
  const rlimit files{.rlim_cur = files_max, .rlim_max = files_max};
  setrlimit(RLIMIT_NOFILE, &files);
  spdlog::set_level(spdlog::level::off);
  TemporaryFolder folder;
  const Silence silence(folder.file("silence"));
  const Flood flood(folder.file("flood"));
  Site site;
  measure_memory(site, folder.file("silence"));
  measure_echo(site);
  measure_throughput(site, folder.file("flood"));
}
