// Domains come and go under their viewers while the console service, the provisioner and the
// viewers' own connections are killed: a viewer's transcript is what its domain printed. The
// provisioner is real; its hypervisor is in memory, with a unix socket and a log for each domain.
// NUCLEUS_CONSOLE_DOMAINS sets how many (nightly: 100000), NUCLEUS_SEED repeats a run.
#include <cstdlib>
#include <filesystem>
#include <random>
#include <regex>

#include "services/provisioner/domain_plan.hpp"
#include "tests/service/console_room.hpp"
#include "tests/service/provisioner_room.hpp"

namespace nucleus::tests {
namespace {

constexpr std::uint64_t domains_default = 1000;
constexpr std::uint64_t batch_size = 20;
constexpr int steps = 3;
constexpr int slice_lines = 40;
constexpr unsigned try_again_later = 1013;
constexpr int loud_factor = 100;  // of a domain that prints more than is kept for its viewers

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* said = std::getenv(name);
  return said ? std::stoull(said) : otherwise;
}

/// What one domain prints, in all its lives.
class Guest {
 public:
  Guest(std::string id, int lines) : id_{std::move(id)}, lines_{lines} {}

  void boot(const std::string& socket) {
    const std::scoped_lock lock(mutex_);
    socket_ = std::make_unique<ConsoleSocket>(socket, "");
    print("boots");
  }
  void print_slice() {
    const std::scoped_lock lock(mutex_);
    for (int line = 0; socket_ && line < lines_; ++line) print("prints");
  }
  void end() {
    const std::scoped_lock lock(mutex_);
    print("ends");
    socket_.reset();
  }
  std::string printed() {
    const std::scoped_lock lock(mutex_);
    return printed_;
  }
  const std::string& id() const { return id_; }

 private:
  void print(const char* what) {
    const auto line = id_ + " " + what + " line " + std::to_string(++count_) + "\r\n";
    socket_->print(line);
    printed_ += line;
  }

  std::string id_;
  int lines_;
  std::mutex mutex_ = {};
  std::unique_ptr<ConsoleSocket> socket_ = {};
  std::string printed_ = {};
  int count_ = 0;
};

class ConsoleDomains : public ProvisionerRoom {
 protected:
  using Ticket = core::Result<msg::ConsoleTicket>;

  ConsoleDomains() {
    seed_ = number_from("NUCLEUS_SEED", std::random_device{}());
    random_.seed(seed_);
    config_.state_directory = folder_.path();
    std::filesystem::create_directory(provisioner::console_directory(config_));
    config_.console_service = provisioner::ConsoleServiceAddress{
        .endpoint = {.address = "127.0.0.1", .port = hosts_port_}};
    config_.console_log_bytes_max = 64 << 20;
    hypervisor_->emulate_with([this](const provisioner::DomainSpec& spec) {
      const auto guest = find(spec.name);
      guest->boot(provisioner::console_paths(spec).serial_socket);
      return std::shared_ptr<void>(guest.get(), [guest](void*) { guest->end(); });
    });
  }

  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  /// A domain of this node, which runs.
  std::shared_ptr<Guest> begin(const std::string& node, int lines) {
    start();
    const auto guest = guests_[domain(node)] = std::make_shared<Guest>(node, lines);
    EXPECT_TRUE(apply({a_grant(node)}));
    EXPECT_TRUE(reported(node, DomainState::running));
    return guest;
  }

  std::shared_ptr<Guest> find(const std::string& name) {
    const std::scoped_lock lock(guests_mutex_);
    return guests_.at(name);
  }

  void start_console() {
    console_.reset();
    const auto hosts = "127.0.0.1:" + std::to_string(hosts_port_);
    const std::map<std::string, std::string> settings = {{"console.hosts_listen", hosts},
                                                         {"console.stall_s", "3600"}};
    console_ = std::make_unique<Process>(deployment_, "console", settings, build_console);
  }

  Ticket issue(const std::string& node) {
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

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_ = {};
  std::uint16_t hosts_port_ = static_cast<std::uint16_t>(free_port());
  Credentials credentials_ = {};
  StandIn registry_{deployment_, "registry",
                    [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                      return std::make_shared<CredentialRoom>(runtime, credentials_);
                    }};
  std::unique_ptr<Process> console_ = {};
  std::mutex guests_mutex_ = {};
  std::map<std::string, std::shared_ptr<Guest>> guests_ = {};  // of this batch, by domain
};

/// A viewer who keeps what it was shown, and resumes behind it.
class Transcript {
 public:
  using Issue = std::function<core::Result<msg::ConsoleTicket>()>;

  Transcript(std::shared_ptr<Guest> guest, Issue issue)
      : guest_{std::move(guest)}, issue_{std::move(issue)} {}

  /// Tries again while the service or the host does not answer yet.
  void attach(const std::string& query) {
    std::string fault;
    std::smatch found;
    ASSERT_TRUE(eventually([&] {
      return (fault = open(query)).empty() && read_start(found, fault);
    })) << guest_->id()
        << ": " << fault;
    const auto offset = std::stoull(found[2]);
    if (log_id_.empty()) first_ = offset;
    EXPECT_EQ(offset, next()) << guest_->id();
    log_id_ = found[1];
  }
  void resume() {
    attach("?from=" + std::to_string(next()) + "&log=" + log_id_ +
           (is_reader_ ? "&mode=read" : ""));
  }
  void attach_reader(const std::string& query) {
    is_reader_ = true;
    attach(query + "&mode=read");
  }
  /// Some of what its domain has printed already.
  void read_some(std::uint64_t random) {
    const auto printed = guest_->printed().size();
    if (next() >= printed) return;
    const auto end = next() + random % (printed - next()) + 1;
    keep(viewer_->read_bytes(end - next()));
    if (next() >= end || testing::Test::HasFailure()) return;
    EXPECT_EQ(viewer_->close_code(), try_again_later) << guest_->id();
    resume();
  }
  void drop() { viewer_->drop(); }
  /// What comes before the connection is closed, and why it is.
  std::string read_to_close() {
    const auto reason = viewer_->read_to_close();
    keep(viewer_->read_to(""));
    texts_ += viewer_->read_text_to("");
    return reason;
  }
  /// As a client does that resumes by itself until the console is closed.
  std::string read_to_end() {
    auto reason = read_to_close();
    while (viewer_->close_code() == try_again_later && !testing::Test::HasFailure()) {
      resume();
      reason = read_to_close();
    }
    return reason;
  }
  std::uint64_t first() const { return first_; }
  const std::string& guest() const { return guest_->id(); }

  /// Not a byte is lost, doubled, or of another domain.
  void check() const {
    const auto printed = guest_->printed();
    ASSERT_LE(first_, printed.size()) << guest_->id();
    const auto expected = printed.substr(first_);
    const auto same = static_cast<std::size_t>(
        std::mismatch(seen_.begin(), seen_.end(), expected.begin(), expected.end()).first -
        seen_.begin());
    EXPECT_EQ(seen_.size(), expected.size()) << guest_->id() << " from " << first_;
    EXPECT_EQ(same, expected.size()) << guest_->id() << " shows " << seen_.substr(same, 80);
    for (const char* fault : {"\"gap\"", "\"start\""})
      EXPECT_EQ(texts_.find(fault), std::string::npos) << guest_->id() << ": " << texts_;
  }

 private:
  std::uint64_t next() const { return first_ + seen_.size(); }
  bool read_start(std::smatch& found, std::string& told) {
    static const std::regex start(R"!("log_id":"(\w+)","offset":(\d+),"type":"start")!");
    told = viewer_->read_text_to(R"!("type":"start")!");
    return std::regex_search(told, found, start);
  }
  void keep(const std::string& bytes) { seen_ += bytes; }
  /// Why not; empty if it is open.
  std::string open(const std::string& query) {
    const auto ticket = issue_();
    if (!ticket) return ticket.error().detail;
    viewer_ = std::make_unique<Viewer>(ticket->url + query);
    const auto status = viewer_->open("nucleus.console.v2, nucleus.ticket." + ticket->ticket);
    return status == 101 ? "" : "status " + std::to_string(status);
  }

  std::shared_ptr<Guest> guest_;
  Issue issue_;
  std::unique_ptr<Viewer> viewer_ = {};
  std::string log_id_ = {};
  std::uint64_t first_ = 0;
  std::string seen_ = {};
  std::string texts_ = {};
  bool is_reader_ = false;
};

TEST_F(ConsoleDomains, ShowTheRestOfTheirLogsIfTheyEndWhileTheirHostIsAway) {
  start_console();
  Transcript viewer(begin("n1", slice_lines), [this] { return issue("n1"); });
  viewer.attach("?from=0");
  service_.reset();
  find(domain("n1"))->print_slice();
  hypervisor_->vanish(domain("n1"));
  start();
  EXPECT_EQ(viewer.read_to_close(), "the console was closed");
  viewer.check();
}

TEST_F(ConsoleDomains, ShowTheWholeLogToAViewerWhoIsFarBehindWhenTheyEnd) {
  start_console();
  const auto guest = begin("n1", 20'000);
  guest->print_slice();
  Transcript viewer(guest, [this] { return issue("n1"); });
  viewer.attach("?from=0");
  hypervisor_->power_off(domain("n1"));
  EXPECT_EQ(viewer.read_to_close(), "the console was closed");
  viewer.check();
}

TEST_F(ConsoleDomains, GoOnForTheirViewersIfTheyAreStartedAgainWhileTheirHostIsAway) {
  start_console();
  const auto guest = begin("n1", slice_lines);
  Transcript viewer(guest, [this] { return issue("n1"); });
  viewer.attach("?from=0");
  viewer.read_some(guest->printed().size() - 1);
  service_.reset();
  hypervisor_->vanish(domain("n1"));
  start();
  ASSERT_TRUE(apply({a_grant("n1", 2)}));
  viewer.read_to_close();
  viewer.resume();
  guest->print_slice();
  hypervisor_->power_off(domain("n1"));
  EXPECT_EQ(viewer.read_to_close(), "the console was closed");
  viewer.check();
}

/// Some domains from their creation to their end, with their viewers.
class ConsoleBatches : public ConsoleDomains {
 protected:
  void run_batch(std::uint64_t first, std::uint64_t count) {
    begin(first, count);
    for (auto& viewer : viewers_) attach(*viewer);
    for (int step = 0; step < steps && !HasFatalFailure(); ++step) take_step();
    if (HasFatalFailure()) return;
    for (int i = pick(3); i > 0; --i) start_again();
    end_all();
    for (auto& viewer : viewers_) {
      EXPECT_NE(viewer->read_to_end().find("console"), std::string::npos);
      viewer->check();
    }
    viewers_.clear();
    remove_logs();
  }

 private:
  static std::string name_of(std::uint64_t number) { return "n" + std::to_string(number); }

  void begin(std::uint64_t first, std::uint64_t count) {
    {
      const std::scoped_lock lock(guests_mutex_);
      guests_.clear();
      for (auto number = first; number < first + count; ++number) {
        const auto node = name_of(number);
        const int lines = pick(static_cast<int>(batch_size)) == 0 ? loud_factor : 1;
        const auto guest = std::make_shared<Guest>(node, lines * slice_lines);
        guests_[domain(node)] = guest;
        for (int viewer = pick(3) == 0 ? 2 : 1; viewer > 0; --viewer)
          viewers_.push_back(
              std::make_unique<Transcript>(guest, [this, node] { return issue(node); }));
      }
    }
    grants_.clear();
    for (const auto& [name, guest] : guests_) grants_[guest->id()] = a_grant(guest->id());
    ASSERT_TRUE(apply_all());
  }
  bool apply_all() {
    std::vector<msg::Grant> all;
    for (const auto& [node, grant] : grants_) all.push_back(grant);
    return apply(all, true, boot_id()).has_value();
  }

  void attach(Transcript& viewer) {
    const int kind = pick(4);
    if (kind == 0) return viewer.attach("");
    if (kind == 1) return viewer.attach_reader("?from=-" + std::to_string(pick(300)));
    const auto from = kind == 2 ? 0 : pick(60);
    viewer.attach_reader("?from=" + std::to_string(from));
    EXPECT_LE(viewer.first(), static_cast<std::uint64_t>(from));
  }

  /// While all print, something breaks.
  void take_step() {
    std::jthread printer([this] {
      for (const auto& [name, guest] : guests_) guest->print_slice();
    });
    const int kind = pick(8);
    if (kind == 0) return break_console();
    if (kind <= 2) start();  // the provisioner is killed
    if (kind == 3) {
      hypervisor_->hang();
      hypervisor_->resume();
    }
    for (auto& viewer : viewers_) {
      viewer->read_some(random_());
      if (pick(4) != 0) continue;
      viewer->drop();
      viewer->resume();
    }
  }
  void break_console() {
    start_console();
    for (auto& viewer : viewers_) {
      viewer->read_to_close();
      viewer->resume();
    }
  }

  /// A domain ends, and is started under another epoch: its log goes on, and so do its viewers.
  void start_again() {
    auto& [node, grant] = *std::next(grants_.begin(), pick(static_cast<int>(grants_.size())));
    hypervisor_->power_off(domain(node));
    std::vector<Transcript*> watching;
    for (auto& viewer : viewers_)
      if (viewer->guest() == node) watching.push_back(viewer.get());
    for (auto* viewer : watching) viewer->read_to_end();
    grant = a_grant(node, grant.epoch + 1);
    ASSERT_TRUE(apply_all());
    for (auto* viewer : watching) viewer->resume();
  }

  /// Each by itself, by the scheduler, or while the provisioner is dead.
  void end_all() {
    std::vector<std::string> vanishing;
    for (const auto& [name, guest] : guests_) {
      const int kind = pick(4);
      if (kind == 0) hypervisor_->power_off(name);
      if (kind == 1) hypervisor_->crash(name);
      if (kind == 2) vanishing.push_back(name);
    }
    if (pick(2) == 0) {
      service_.reset();
      for (const auto& name : vanishing) hypervisor_->vanish(name);
      start();
    }
    grants_.clear();
    ASSERT_TRUE(apply_all());
  }

  void remove_logs() {
    for (const auto& entry :
         std::filesystem::directory_iterator(provisioner::console_directory(config_)))
      std::filesystem::remove(entry.path());
  }

  std::map<std::string, msg::Grant> grants_ = {};  // by node
  std::vector<std::unique_ptr<Transcript>> viewers_ = {};
};

TEST_F(ConsoleBatches, ShowEachViewerWhatItsDomainPrinted) {
  start();
  start_console();
  const auto count = number_from("NUCLEUS_CONSOLE_DOMAINS", domains_default);
  SCOPED_TRACE("NUCLEUS_SEED=" + std::to_string(seed_));
  for (std::uint64_t first = 0; first < count && !HasFailure(); first += batch_size)
    run_batch(first, std::min(batch_size, count - first));
}

}  // namespace
}  // namespace nucleus::tests
