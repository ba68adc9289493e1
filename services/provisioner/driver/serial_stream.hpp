// A serial console and its connection to the console service: the log's bytes go out from an offset
// on, and what is received is typed. The slower side sets the pace. Used on the thread of its
// executor.
#pragma once

#include <memory>
#include <string>

#include "core/http/websocket.hpp"
#include "messages/provisioner.hpp"
#include "services/provisioner/driver/console_input.hpp"
#include "services/provisioner/driver/console_log.hpp"
#include "services/provisioner/driver/log_watch.hpp"

namespace nucleus::provisioner {

class SerialStream : public std::enable_shared_from_this<SerialStream> {
 public:
  struct LogFile {
    std::string path = {};
    std::int64_t bytes_max = 0;
  };
  /// Without an input, the domain has ended: the stream ends with its log.
  SerialStream(const LogFile& log, const msg::StreamConsole& request,
               std::shared_ptr<ConsoleInput> input, std::shared_ptr<core::http::WebSocket> service);

  /// It lives until the console or the connection ends.
  void start(LogWatch& watch, const std::string& log_path);

 private:
  void listen();
  void pump();
  void announce(std::int64_t offset, const std::string& refused = {});
  void read_service();
  void send_bytes(std::string bytes);
  void handle_sent(core::http::WebSocket::Sent sent);
  void finish(const std::string& reason);
  void disconnect();

  ConsoleLog log_;
  bool is_announced_;
  std::int64_t offset_ = 0;  // of the next byte
  std::shared_ptr<ConsoleInput> input_;
  std::shared_ptr<core::http::WebSocket> service_;
  std::shared_ptr<ConsoleInput::Listener> listener_ = {};
  std::shared_ptr<LogWatch::Handler> handler_ = {};
  std::string last_reason_ = {};  // the domain has ended; its log is sent to the end first
  bool is_first_ = true;
  bool is_refused_ = false;  // to be announced
  bool is_sending_ = false;
  bool is_ended_ = false;
};

}  // namespace nucleus::provisioner
