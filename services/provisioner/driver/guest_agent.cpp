// The agent's protocol is JSON with base64 inside; a guest may answer anything, so each answer is
// checked before it is used.
#include "services/provisioner/driver/guest_agent.hpp"

#include <libvirt/libvirt-qemu.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/digest/digest.hpp"
#include "services/provisioner/driver/libvirt_link.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int answer_wait_s = 5;  // one question to the agent; libvirt counts in seconds
constexpr milliseconds poll_first{2};
constexpr milliseconds poll_max{100};

core::Result<nlohmann::json> ask(virDomain* domain, const char* question,
                                 nlohmann::json arguments) {
  const nlohmann::json request{{"execute", question}, {"arguments", std::move(arguments)}};
  char* answer = virDomainQemuAgentCommand(domain, request.dump().c_str(), answer_wait_s, 0);
  if (!answer) return std::unexpected(libvirt_error());
  const nlohmann::json reply = nlohmann::json::parse(take_libvirt_text(answer), nullptr, false);
  if (!reply.is_object() || !reply.contains("return") || !reply["return"].is_object())
    return core::refuse(ErrorCode::internal, "the guest's agent gave no sound answer");
  return reply["return"];
}

template <class T>
T value_or(const nlohmann::json& object, const char* key, T otherwise) {
  try {
    return object.value(key, otherwise);
  } catch (const nlohmann::json::exception&) {
    return otherwise;
  }
}

/// Base64 in a guest's answer; empty if it is missing or malformed.
std::string bytes_of(const nlohmann::json& status, const char* key) {
  return core::from_base64(value_or<std::string>(status, key, "")).value_or("");
}

GuestOutput output_of(const nlohmann::json& status) {
  const int signal = value_or(status, "signal", 0);
  return {
      .end = signal != 0 ? core::signalled(signal) : core::exited(value_or(status, "exitcode", 0)),
      .output = bytes_of(status, "out-data"),
      .errors = bytes_of(status, "err-data")};
}

}  // namespace

core::Result<GuestOutput> run_by_agent(virDomain* domain, const GuestCommand& command) {
  if (command.argv.empty()) return std::unexpected(msg::invalid("argv", "argv is empty"));
  const auto deadline = Clock::now() + command.deadline;
  nlohmann::json arguments{{"path", command.argv.front()},
                           {"arg", std::vector(command.argv.begin() + 1, command.argv.end())},
                           {"capture-output", true}};
  if (!command.input.empty()) arguments["input-data"] = core::to_base64(command.input);
  const auto started = ask(domain, "guest-exec", std::move(arguments));
  if (!started) return std::unexpected(started.error());
  const auto pid = value_or<std::int64_t>(*started, "pid", 0);

  auto wait = poll_first;
  while (true) {
    const auto status = ask(domain, "guest-exec-status", {{"pid", pid}});
    if (!status) return std::unexpected(status.error());
    if (value_or(*status, "exited", false)) return output_of(*status);
    if (Clock::now() + wait >= deadline)
      return core::refuse(ErrorCode::deadline_exceeded,
                          "the command in the guest did not end in time");
    std::this_thread::sleep_for(wait);  // the agent has no event for a command that ended
    wait = std::min(wait * 2, poll_max);
  }
}

}  // namespace nucleus::provisioner
