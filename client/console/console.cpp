#include "client/console/console.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <optional>

#include "client/console/escape.hpp"
#include "client/console/plain_filter.hpp"
#include "client/console/recording.hpp"
#include "client/http/url.hpp"
#include "client/terminal/interrupt.hpp"
#include "client/terminal/raw_terminal.hpp"
#include "core/files/files.hpp"
#include "core/http/websocket_client.hpp"

namespace nucleus::client {

namespace {

namespace asio = boost::asio;
using core::ErrorCode;
using core::http::CloseCode;
using Failed = boost::system::error_code;

constexpr int attempts_max = 30;  // to attach again
constexpr std::chrono::milliseconds first_delay{200};
constexpr std::chrono::milliseconds delay_max{2'000};
constexpr std::chrono::milliseconds close_max{500};
constexpr std::size_t message_bytes_max = 1 << 20;
constexpr std::size_t typed_bytes_max = 4096;
constexpr int stall_s = 20;
constexpr char interrupt_key = '\x03';
constexpr int exit_code_of_signal = 128;
constexpr const char* help =
    "~. leaves, ~t takes over typing, ~~ sends ~, ~? shows this; at the start of a line";

/// The signals that end the session are read from a descriptor: none interrupts half a step, and
/// the terminal is restored after each.
class Signals {
 public:
  Signals() {
    sigemptyset(&caught_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT})
      sigaddset(&caught_, signal);
    pthread_sigmask(SIG_BLOCK, &caught_, &before_);
    number_ = signalfd(-1, &caught_, SFD_NONBLOCK | SFD_CLOEXEC);
  }
  /// Takes pending ones, which would end the process now.
  ~Signals() {
    while (take() != 0) {
    }
    close(number_);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int number() const { return number_; }
  /// 0 if there is none.
  int take() const {
    signalfd_siginfo info{};
    return read(number_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t caught_ = {};
  sigset_t before_ = {};
  int number_ = -1;
};

core::Result<std::shared_ptr<core::Trust>> trust_of(const Endpoint& endpoint) {
  std::string file = endpoint.ca_file;
  if (const char* bundle = std::getenv("CURL_CA_BUNDLE"); file.empty() && bundle) file = bundle;
  return file.empty() ? core::Trust::of_system() : core::Trust::open(file);
}

/// One session at a console, on one thread; tickets are fetched on another.
class Console {
 public:
  Console(const Api& api, const ConsoleOptions& options) : api_{api}, options_{options} {}
  ~Console() {
    // Ends a request for a ticket that is under way.
    interrupt();
    tickets_.join();
    clear_interrupt();
    signal_input_.release();
  }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  core::Result<int> run() {
    if (!options_.record_path.empty()) {
      const auto size = terminal_size();
      auto recording = Recording::open(options_.record_path, size.columns, size.rows);
      if (!recording) return std::unexpected(recording.error());
      recording_ = std::move(*recording);
    }
    signal_input_.assign(signals_.number());
    watch_signals();
    attach();
    io_.run();
    terminal_.reset();
    return std::move(result_);
  }

 private:
  bool types() const { return options_.is_interactive && !options_.is_read_only; }

  void end(core::Result<int> result) {
    if (std::exchange(is_over_, true)) return;
    result_ = std::move(result);
    if (websocket_) websocket_->close(CloseCode::normal, "");
    // The closing handshake takes a moment.
    delay_.expires_after(websocket_ ? close_max : std::chrono::milliseconds(0));
    delay_.async_wait([this](Failed) { io_.stop(); });
  }

  /// One line that is not of the guest.
  void say(const std::string& text) {
    const std::string line =
        terminal_ ? "\r\n[" + text + "]\r\n" : "cm: " + options_.name + ": " + text + "\n";
    (void)!write(STDERR_FILENO, line.data(), line.size());
  }

  // Signals

  void watch_signals() {
    signal_input_.async_wait(asio::posix::stream_descriptor::wait_read, [this](Failed error) {
      if (error || is_over_) return;
      take_signal();
      if (!is_over_) watch_signals();
    });
  }
  void take_signal() {
    const int signal = signals_.take();
    if (signal == SIGCONT && terminal_) terminal_->set();
    if (signal != 0 && signal != SIGCONT) end(signal == SIGINT ? 0 : exit_code_of_signal + signal);
  }

  // The connection

  void attach() {
    asio::post(tickets_, [this] {
      auto ticket = api_.post(options_.tickets_path, Json::object({{"kind", "serial"}}));
      asio::post(io_, [this, ticket = std::move(ticket)] { connect(ticket); });
    });
  }

  void connect(const core::Result<Json>& ticket) {
    if (is_over_) return;
    if (!ticket) return retry(ticket.error());
    auto target = target_of(*ticket);
    if (!target) return end(std::unexpected(target.error()));
    core::http::open_websocket(io_.get_executor(), std::move(*target),
                               [this](core::Result<std::shared_ptr<core::http::WebSocket>> opened) {
                                 if (is_over_) return;
                                 if (!opened) return retry(opened.error());
                                 websocket_ = std::move(*opened);
                                 on_open();
                               });
  }

  core::Result<core::http::WebSocketTarget> target_of(const Json& ticket) const {
    const auto url = parse_websocket_url(ticket["url"].text());
    if (!url) return std::unexpected(url.error());
    if (api_.url().starts_with("https://") && !url->is_secure)
      return core::refuse(ErrorCode::unavailable,
                          "the server sends consoles to a URL without TLS: " + url->host);
    core::http::WebSocketTarget target{
        .endpoint = {.port = url->port},
        .host = url->host,
        .path = url->path + query(),
        .subprotocols = {"nucleus.console.v2", "nucleus.ticket." + ticket["ticket"].text()},
        .message_bytes_max = message_bytes_max,
        .stall_s = stall_s};
    if (url->is_secure) {
      auto trust = trust_of(api_.endpoint());
      if (!trust) return std::unexpected(trust.error());
      target.trust = std::move(*trust);
    }
    return target;
  }

  std::string query() const {
    std::string query;
    const auto add = [&](const std::string& parameter) {
      query += (query.empty() ? "?" : "&") + parameter;
    };
    if (!log_id_.empty())
      add(fmt::format("from={}&log={}", offset_, encoded(log_id_)));
    else if (options_.is_from_start)
      add("from=0");
    if (!types()) add("mode=read");
    return query;
  }

  void on_open() {
    if (is_attached_) say("attached again");
    if (!is_attached_ && options_.is_interactive)
      if (const auto opened = open_terminal(); !opened) return end(std::unexpected(opened.error()));
    is_attached_ = true;
    attempts_ = 0;
    receive();
  }

  /// After an error that may pass, tries again a bounded number of times.
  void retry(const core::Error& error) {
    const bool may_pass = error.code == ErrorCode::unavailable || error.code == ErrorCode::internal;
    if (!is_attached_ || !may_pass || ++attempts_ > attempts_max)
      return end(std::unexpected(error));
    delay_.expires_after(std::min(first_delay * attempts_, delay_max));
    delay_.async_wait([this](Failed cancelled) {
      if (!cancelled && !is_over_) attach();
    });
  }

  void on_disconnected() {
    const auto reason = websocket_->close_reason();
    websocket_.reset();
    if (is_over_) return io_.stop();
    pending_.clear();
    is_sending_ = false;
    read_keys();
    const std::string text = reason.text.empty() ? "the connection broke" : msg::shown(reason.text);
    if (reason.code == static_cast<std::uint16_t>(CloseCode::normal)) {
      say(text);
      return end(0);
    }
    say(fmt::format("{}; attaching again from byte {}", text, offset_));
    retry({.code = ErrorCode::unavailable, .detail = text});
  }

  // What the guest prints

  void receive() {
    websocket_->receive([this](std::optional<std::string_view> message) {
      if (!message) return on_disconnected();
      if (is_over_) return receive();
      if (websocket_->is_text())
        hear(Json::parse(*message).value_or(Json()));
      else
        show(*message);
      receive();
    });
  }

  void show(std::string_view bytes) {
    offset_ += static_cast<std::int64_t>(bytes.size());
    const std::string plain = options_.is_plain ? filter_.read(bytes) : "";
    if (options_.is_plain) bytes = plain;
    if (recording_)
      if (const auto added = recording_->add(bytes); !added)
        return end(std::unexpected(added.error()));
    print(bytes);
  }

  /// Waits until all is written, or a signal ends the session.
  void print(std::string_view bytes) {
    constexpr std::size_t part_bytes_max = 4096;  // a pipe that is ready takes as much
    while (!bytes.empty() && !is_over_) {
      std::array<pollfd, 2> ready = {
          pollfd{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0},
          pollfd{.fd = signals_.number(), .events = POLLIN, .revents = 0}};
      if (poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return end_output();
      if (ready[1].revents != 0) take_signal();
      if (ready[0].revents == 0) continue;
      const auto written =
          write(STDOUT_FILENO, bytes.data(), std::min(bytes.size(), part_bytes_max));
      if (written < 0 && errno != EINTR && errno != EAGAIN) return end_output();
      bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
  }
  void end_output() { end(core::refuse_errno("standard output")); }

  void hear(const Json& message) {
    const auto& type = message["type"].text();
    if (type == "start") {
      if (!log_id_.empty() && log_id_ != message["log_id"].text()) say("another log begins");
      log_id_ = message["log_id"].text();
      offset_ = message["offset"].number().value_or(0);
    } else if (type == "gap") {
      offset_ = message["to"].number().value_or(offset_);
      say("bytes " + message["from"].text() + " to " + message["to"].text() +
          " are no longer kept");
    } else if (type == "roles") {
      hear_roles(message);
    } else if (type == "link") {
      if (std::exchange(is_live_, message["is_live"].text() == "true") != is_live_)
        say(is_live_ ? "the connection to the host is back"
                     : "the connection to the host was lost; waiting");
    } else if (type == "recording") {
      say(message["is_recorded"].text() == "true" ? "this console is recorded"
                                                  : "recording of this console has stopped");
    } else if (type == "refused") {
      say(message["detail"].text());
    }
  }

  void hear_roles(const Json& roles) {
    const auto writer = roles["writer"].number();
    std::string person;
    for (const auto& viewer : roles["viewers"].items())
      if (viewer["number"].number() == writer) person = viewer["person"].text();
    const bool is_writer = writer && writer == roles["you"].number();
    const std::string told =
        is_writer ? "you are the writer"
                  : (person.empty() ? "no viewer" : person) + " is the writer; ~t takes over";
    // Becoming the writer on attach is the default, so it is not announced.
    const bool is_news = told != role_ && !(is_writer && role_.empty());
    role_ = told;
    is_writer_ = is_writer;
    if (is_news && types()) say(told);
  }

  // What is typed

  core::Result<void> open_terminal() {
    auto terminal = RawTerminal::open();
    if (!terminal) return std::unexpected(terminal.error());
    terminal_ = std::move(*terminal);
    say("attached; ~. at the start of a line leaves, ~? helps");
    const int input = RawTerminal::reopen();
    if (input < 0) return core::refuse_errno("the terminal");
    keys_.assign(input);
    read_keys();
    return {};
  }

  /// Reads on once what was typed is sent.
  void read_keys() {
    if (!terminal_ || is_sending_ || std::exchange(is_reading_, true)) return;
    keys_.async_read_some(asio::buffer(typed_), [this](Failed error, std::size_t count) {
      is_reading_ = false;
      if (is_over_) return;
      if (error) return end(exit_code_of_signal + SIGHUP);
      for (const auto& typed : escapes_.read({typed_.data(), count})) act(typed);
      if (!is_over_) read_keys();
    });
  }

  void act(const Typed& typed) {
    switch (typed.action) {
      case Typed::Action::leave:
        say("left");
        return end(0);
      case Typed::Action::help:
        return say(help);
      case Typed::Action::take_over:
        if (options_.is_read_only) return say("read only");
        return queue({.text = R"({"type":"take-over"})", .is_command = true});
      case Typed::Action::send:
        if (options_.is_read_only)
          return typed.text.find(interrupt_key) == std::string::npos ? say("read only") : end(0);
        if (websocket_ && !is_writer_ && !role_.empty()) return say(role_);
        return queue({.text = typed.text});
    }
  }

  struct Outgoing {
    std::string text = {};
    bool is_command = false;
  };

  /// Input is dropped while disconnected: the guest may be in another state after a reconnect.
  void queue(Outgoing outgoing) {
    if (!websocket_) return say("not attached: dropped");
    pending_.push_back(std::move(outgoing));
    if (!is_sending_) send();
  }

  void send() {
    is_sending_ = true;
    auto next = std::move(pending_.front());
    pending_.pop_front();
    auto done = [this, websocket = websocket_](core::http::WebSocket::Sent sent) {
      if (is_over_ || !is_sending_ || websocket != websocket_) return;
      if (sent != core::http::WebSocket::Sent::done) pending_.clear();
      if (!pending_.empty()) return send();
      is_sending_ = false;
      read_keys();
    };
    if (next.is_command)
      websocket_->send_text(std::move(next.text), std::move(done));
    else
      websocket_->send(std::move(next.text), std::move(done));
  }

  const Api& api_;
  const ConsoleOptions& options_;
  Signals signals_ = {};  // before threads begin: they inherit the mask
  asio::io_context io_ = {};
  asio::thread_pool tickets_{1};
  asio::posix::stream_descriptor signal_input_{io_};
  asio::posix::stream_descriptor keys_{io_};
  asio::steady_timer delay_{io_};
  std::shared_ptr<core::http::WebSocket> websocket_ = {};
  std::unique_ptr<Recording> recording_ = {};
  std::unique_ptr<RawTerminal> terminal_ = {};
  PlainFilter filter_ = {};
  EscapeParser escapes_ = {};
  std::array<char, typed_bytes_max> typed_ = {};
  std::deque<Outgoing> pending_ = {};
  bool is_sending_ = false;
  bool is_reading_ = false;
  bool is_live_ = true;  // the connection to the host
  std::string log_id_ = {};
  std::int64_t offset_ = 0;
  std::string role_ = {};  // as it was shown last
  bool is_writer_ = false;
  bool is_attached_ = false;  // for the first time, or again
  int attempts_ = 0;
  bool is_over_ = false;
  core::Result<int> result_ = 0;
};

}  // namespace

core::Result<int> attach_console(const Api& api, const ConsoleOptions& options) {
  std::cout << std::flush;
  return Console(api, options).run();
}

}  // namespace nucleus::client
