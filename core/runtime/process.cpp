#include "core/runtime/process.hpp"

#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>
#include <system_error>

#include "core/log/log.hpp"

namespace nucleus::core {

namespace {

/// Raises the soft limit of file descriptors to the hard limit: each connection needs one.
void raise_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

std::optional<Settings> open_process(const std::string& name, int argc, char** argv) {
  log::open(name);
  raise_descriptors();
  std::string config_path;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--config" && i + 1 < argc) {
      config_path = argv[++i];
    } else {
      log::error("option_unknown", {{"option", argv[i]}, {"usage", "--config FILE"}});
      return std::nullopt;
    }
  }
  auto settings = Settings::load(config_path);
  if (settings) return std::move(*settings);
  log::error("settings_refused", {{"reason", settings.error().detail}});
  return std::nullopt;
}

ZmqLinkOptions read_link_options(const std::string& name, Settings& settings) {
  return {.name = settings.text("bus.name", name),
          .requests_url = settings.text("bus.requests_url", "ipc:///run/nucleus/bus.sock"),
          .events_url = settings.text("bus.events_url", "ipc:///run/nucleus/events.sock"),
          .keys = {.server_public = settings.text("bus.server_key", ""),
                   .own_public = settings.text("bus.public_key", ""),
                   .own_secret = settings.secret("bus.secret_key")}};
}

StopSignals::StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  descriptor_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
}

StopSignals::~StopSignals() {
  close(descriptor_);
}

void StopSignals::watch(PosixLoop& loop, std::function<void()> stop,
                        std::function<bool()> hang_up) {
  loop.watch(descriptor_, [this, stop = std::move(stop), hang_up = std::move(hang_up)] {
    signalfd_siginfo signal{};
    while (read(descriptor_, &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo == SIGHUP && hang_up()) continue;
      log::info("process_stopping", {{"signal", signal.ssi_signo}});
      stop();
    }
  });
}

}  // namespace nucleus::core
