// Connects consoles of this host's domains with the console service: the connection goes out from
// the host, by TLS, and proves itself by a token. One thread of its own.
#pragma once

#include <memory>
#include <string>

#include "core/config/endpoint.hpp"
#include "core/tls/trust.hpp"
#include "messages/provisioner.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

struct ConsoleServiceAddress {
  core::Endpoint endpoint = {};
  std::shared_ptr<core::Trust> trust = {};  // null = no TLS
};

class ConsoleStreams {
 public:
  /// `log_bytes_max`: of each serial console, as it is shortened.
  ConsoleStreams(ConsoleServiceAddress service, std::int64_t log_bytes_max);
  /// Ends all streams.
  ~ConsoleStreams();
  ConsoleStreams(const ConsoleStreams&) = delete;
  ConsoleStreams& operator=(const ConsoleStreams&) = delete;

  /// Starts a stream and returns. An error closes the stream with its text as the reason, or is
  /// logged if the console service cannot be reached. Of a domain that has ended, only the log is
  /// named. Any thread.
  void begin(const ConsolePaths& paths, const msg::StreamConsole& request);

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace nucleus::provisioner
