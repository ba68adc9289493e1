// What the console service needs beside it: a host whose consoles are known sockets and logs, and a
// registry that knows one person.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "messages/console.hpp"
#include "messages/people.hpp"
#include "services/provisioner/driver/console_streams.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {

/// What a host's provisioner does, with known sockets in place of a hypervisor's.
class ConsoleHost {
 public:
  using Paths = std::map<std::string, provisioner::ConsolePaths>;
  ConsoleHost(core::Runtime& runtime, const Paths& paths,
              const provisioner::ConsoleServiceAddress& service, std::int64_t log_bytes_max)
      : paths_{paths}, streams_{service, log_bytes_max} {
    runtime.bus.serve<msg::CheckConsole>(*this, &ConsoleHost::check);
    runtime.bus.serve<msg::StreamConsole>(*this, &ConsoleHost::stream);
  }

 private:
  core::Result<msg::ConsoleFound> check(const msg::CheckConsole& request, core::Context&) {
    if (paths_.contains(request.node_id.value)) return msg::ConsoleFound{.epoch = 7};
    return core::refuse(core::ErrorCode::wrong_state, "the domain does not run");
  }
  core::Result<msg::Done> stream(const msg::StreamConsole& request, core::Context&) {
    if (request.node_id.value == "ended")
      return core::refuse(core::ErrorCode::wrong_state, "the domain has ended");
    streams_.begin(paths_.at(request.node_id.value), request);
    return msg::Done{};
  }

  const Paths& paths_;
  provisioner::ConsoleStreams streams_;
};

/// In place of the registry: `person` and the rights of the tokens that exist.
struct Credentials {
  std::mutex mutex = {};
  std::string uid = "u1";
  bool record_consoles = false;  // of the project
  std::map<std::string, msg::Principal> tokens = {
      {"", {.person_id = {"p1"}, .projects = {{"lab"}}, .rights = {msg::Right::console}}},
      {"t1", {.person_id = {"p1"}, .projects = {{"lab"}}, .rights = {msg::Right::console}}}};
};
struct CredentialRoom {
  Credentials& known;
  CredentialRoom(core::Runtime& runtime, Credentials& credentials) : known{credentials} {
    runtime.bus.serve<msg::RecheckCredential>(*this, &CredentialRoom::recheck);
    runtime.bus.serve<msg::ListProjects>(*this, &CredentialRoom::list);
  }
  core::Result<msg::Projects> list(const msg::ListProjects& request, core::Context&) {
    const std::scoped_lock lock(known.mutex);
    return msg::Projects{.projects = {{request.project_id, known.record_consoles}}};
  }
  core::Result<msg::Principal> recheck(const msg::RecheckCredential& request, core::Context&) {
    const std::scoped_lock lock(known.mutex);
    const auto found = known.tokens.find(request.token_id);
    if (found == known.tokens.end() ||
        (!request.person_uid.empty() && request.person_uid != known.uid))
      return core::refuse(core::ErrorCode::unauthenticated, "Invalid token.");
    return found->second;
  }
};

}  // namespace nucleus::tests
