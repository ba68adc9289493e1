#include "operator/caller.hpp"

#include <unistd.h>

#include "core/runtime/process.hpp"

namespace nucleus::operator_ {

Caller::Caller(core::ZmqLinkOptions link)
    : link_{loop_, std::move(link)}, bus_{loop_, link_, nullptr} {
  bus_.start();
  thread_ = std::jthread([this] { loop_.run(); });
}

Caller::~Caller() {
  loop_.stop();
  thread_.join();
}

core::ZmqLinkOptions local_link_options(const StateDirectory& state) {
  return {.name = "nucleus-" + std::to_string(getpid()),
          .requests_url = state.requests_url(),
          .events_url = state.events_url()};
}

core::Result<core::ZmqLinkOptions> remote_link_options(const StateDirectory& state) {
  auto settings = core::Settings::load(state.file("settings.yaml"));
  if (!settings) return std::unexpected(settings.error());
  auto link = core::read_link_options("operator", *settings);
  if (auto finished = settings->finish(); !finished) return std::unexpected(finished.error());
  // The key allows any name below `operator/`. A pid would not be unique across containers.
  link.name += "/" + core::PosixLoop().new_id().substr(0, 12);
  return link;
}

core::Result<std::unique_ptr<Caller>> open_caller(const std::string& directory) {
  const StateDirectory state(directory);
  if (state.is_remote()) {
    auto link = remote_link_options(state);
    if (!link) return std::unexpected(link.error());
    return std::make_unique<Caller>(std::move(*link));
  }
  if (!state.exists()) return core::refuse(core::ErrorCode::not_found, no_deployment(state));
  return std::make_unique<Caller>(local_link_options(state));
}

}  // namespace nucleus::operator_
