// The agent's protocol is JSON with base64 inside. A guest may answer anything: every answer is
// parsed without exceptions, and what has the wrong type or is too long counts as absent.
#include "services/provisioner/driver/guest_agent.hpp"

#include <libvirt/libvirt-qemu.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/digest/digest.hpp"
#include "services/provisioner/driver/libvirt_domains.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

namespace {

constexpr int answer_timeout_s = 5;  // of one command to the agent; libvirt counts in seconds
constexpr int json_depth_max = 16;
constexpr milliseconds poll_first{2};
constexpr milliseconds poll_max{100};

/// Empty if it is malformed; what exceeds the limit is dropped.
std::string bounded_bytes(const std::string& base64) {
  std::string bytes = core::from_base64(base64).value_or("");
  if (bytes.size() > guest_output_bytes_max) bytes.resize(guest_output_bytes_max);
  return bytes;
}

/// Discarded if it is malformed, or nested so deeply that writing it could exhaust the stack.
Json parsed(const std::string& text) {
  bool is_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) {
    is_deep = is_deep || depth > json_depth_max;
    return !is_deep;
  };
  auto json = Json::parse(text, watch, false);
  return is_deep ? Json(Json::value_t::discarded) : std::move(json);
}

std::string text_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::int64_t number_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

bool is_true_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

core::Result<std::string> command_agent(virDomain* domain, const char* name, Json arguments) {
  const Json request{{"execute", name}, {"arguments", std::move(arguments)}};
  const std::string text = request.dump(-1, ' ', false, Json::error_handler_t::replace);
  char* answer = virDomainQemuAgentCommand(domain, text.c_str(), answer_timeout_s, 0);
  if (!answer) return std::unexpected(libvirt_error());
  return agent_return(take_libvirt_text(answer));
}

}  // namespace

core::Result<std::string> agent_return(const std::string& answer) {
  const Json reply = parsed(answer);
  const auto found = reply.is_object() ? reply.find("return") : reply.end();
  if (!reply.is_object() || found == reply.end() || !found->is_object())
    return core::refuse(ErrorCode::internal, "the guest agent's answer is malformed");
  return found->dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<GuestOutput> command_output(const std::string& status) {
  const Json object = parsed(status);
  if (!object.is_object() || !is_true_in(object, "exited")) return std::nullopt;
  const auto exit_code = number_in(object, "exitcode");
  const auto signal = number_in(object, "signal");
  const auto end =
      signal != 0 ? core::signalled(static_cast<int>(std::clamp<std::int64_t>(signal, 1, 127)))
                  : core::exited(static_cast<int>(std::clamp<std::int64_t>(exit_code, -1, 255)));
  return GuestOutput{.end = end,
                     .output = bounded_bytes(text_in(object, "out-data")),
                     .errors = bounded_bytes(text_in(object, "err-data"))};
}

core::Result<GuestOutput> run_by_agent(virDomain* domain, const GuestCommand& command) {
  if (command.argv.empty()) return std::unexpected(msg::invalid("argv", "argv must not be empty"));
  const auto deadline = Clock::now() + command.deadline;
  Json arguments{{"path", command.argv.front()},
                 {"arg", std::vector(command.argv.begin() + 1, command.argv.end())},
                 {"capture-output", true}};
  if (!command.input.empty()) arguments["input-data"] = core::to_base64(command.input);
  const auto started = command_agent(domain, "guest-exec", std::move(arguments));
  if (!started) return std::unexpected(started.error());
  const auto pid = number_in(parsed(*started), "pid");

  auto wait = poll_first;
  while (true) {
    const auto status = command_agent(domain, "guest-exec-status", {{"pid", pid}});
    if (!status) return std::unexpected(status.error());
    if (auto output = command_output(*status)) return std::move(*output);
    if (Clock::now() + wait >= deadline)
      return core::refuse(ErrorCode::deadline_exceeded,
                          "the command in the guest did not end in time");
    std::this_thread::sleep_for(wait);  // the agent has no event for the end of a command
    wait = std::min(wait * 2, poll_max);
  }
}

}  // namespace nucleus::provisioner
