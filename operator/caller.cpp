#include "operator/caller.hpp"

#include <unistd.h>

#include "core/runtime/process.hpp"

namespace nucleus::op {

Caller::Caller(core::ZmqLinkOptions link)
    : link_{loop_, std::move(link)}, bus_{loop_, link_, nullptr} {
  bus_.start();
  thread_ = std::jthread([this] { loop_.run(); });
}

Caller::~Caller() {
  loop_.stop();
  thread_.join();
}

core::ZmqLinkOptions local_access(const StateDirectory& state) {
  return {.name = "nucleus-" + std::to_string(getpid()),
          .requests_url = state.requests_url(),
          .events_url = state.events_url()};
}

core::Result<core::ZmqLinkOptions> remote_access(const StateDirectory& state) {
  auto settings = core::Settings::load(state.file("settings.yaml"));
  if (!settings) return std::unexpected(settings.error());
  auto link = core::read_link_options("operator", *settings);
  if (auto finished = settings->finish(); !finished) return std::unexpected(finished.error());
  // Its key allows any name below; commands in several containers may have the same pid.
  link.name += "/" + core::PosixLoop().new_id().substr(0, 12);
  return link;
}

core::Result<std::unique_ptr<Caller>> open_caller(const std::string& directory) {
  const StateDirectory state(directory);
  if (state.is_remote()) {
    auto link = remote_access(state);
    if (!link) return std::unexpected(link.error());
    return std::make_unique<Caller>(std::move(*link));
  }
  if (!state.exists())
    return core::refuse(core::ErrorCode::not_found, "nothing was ever up in " + state.root() +
                                                        ": nucleus up --state " + state.root());
  return std::make_unique<Caller>(local_access(state));
}

}  // namespace nucleus::op
