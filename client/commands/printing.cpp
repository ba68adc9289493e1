// help, man, echo, banner, clear, pause, sleep, history, quit, and the commands of other clouds.
#include <charconv>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/grammar/manual.hpp"
#include "client/grammar/table.hpp"
#include "client/shell/shell.hpp"
#include "client/terminal/interrupt.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

core::Result<int> print_manual_of(const std::string& name, bool has_header) {
  constexpr std::size_t width = 12;
  if (name.empty()) {
    for (const auto& each : command_table().parts) {
      std::string shown = each.name;
      shown.resize(std::max(width, shown.size() + 1), ' ');
      std::cout << "  " << shown << each.what << "\n";
    }
    return 0;
  }
  const auto* command = command_table().part(name);
  if (!command) return core::refuse(ErrorCode::not_found, "no such command: " + msg::shown(name));
  std::cout << manual_text(*command, name, has_header);
  return 0;
}

}  // namespace

core::Result<int> show_help(Session&, const Words& words) {
  return print_manual_of(words["COMMAND"], true);
}

core::Result<int> show_manual(Session&, const Words& words) {
  return print_manual_of(words["COMMAND"], !words.has("--noheader"));
}

core::Result<int> echo(Session& session, const Words& words) {
  std::cout << painted(words.joined("TEXT"), words["-r"], session.is_colored(is_output_terminal()))
            << "\n";
  return 0;
}

core::Result<int> banner(Session& session, const Words& words) {
  constexpr std::int64_t width_max = 1'000;
  const auto sign = words["-c"];
  if (sign.size() != 1 || words.number("-n") > width_max || words.number("-i") > width_max)
    return core::refuse(ErrorCode::invalid_argument,
                        "-c must be one character, -n and -i at most 1000");
  const std::string blanks(static_cast<std::size_t>(words.number("-i")), ' ');
  const std::string rule(static_cast<std::size_t>(words.number("-n")), sign.front());
  const auto painted_line = [&](const std::string& line) {
    return blanks + painted(line, words["-r"], session.is_colored(is_output_terminal())) + "\n";
  };
  std::cout << painted_line(rule) << painted_line(sign + " " + words.joined("TEXT"))
            << painted_line(rule);
  return 0;
}

core::Result<int> clear(Session&, const Words&) {
  if (is_output_terminal()) std::cout << "\033[H\033[2J" << std::flush;
  return 0;
}

core::Result<int> pause(Session&, const Words& words) {
  const auto message = words.joined("MESSAGE");
  (void)ask(message.empty() ? "Press return" : message);
  return 0;
}

core::Result<int> wait_seconds(Session&, const Words& words) {
  constexpr double seconds_max = 86'400;
  constexpr double ms_per_s = 1'000;
  const auto text = words["SECONDS"];
  double seconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || !(seconds >= 0) ||
      seconds > seconds_max)
    return core::refuse(ErrorCode::invalid_argument, "SECONDS must be 0 to 86400");
  std::cout << std::flush;
  sleep_until_interrupt(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * ms_per_s)));
  return is_interrupted() ? interrupted_code : 0;
}

core::Result<int> show_history(Session& session, const Words& words) {
  const auto which = words["ID"];
  const auto& lines = session.history;
  if (which == "list") {
    for (std::size_t i = 0; i < lines.size(); ++i) std::cout << i + 1 << ": " << lines[i] << "\n";
    return 0;
  }
  // The last line is this command itself.
  std::size_t number = lines.size() - 1;
  if (which != "last") number = std::strtoul(which.c_str(), nullptr, 10);
  if (lines.size() < 2 || number < 1 || number >= lines.size())
    return core::refuse(ErrorCode::not_found, "no such line");
  const std::string line = lines[number - 1];
  std::cout << line << "\n";
  return run_line(session, line);
}

core::Result<int> quit(Session& session, const Words&) {
  session.is_over = true;
  return 0;
}

core::Result<int> refuse_other_cloud(Session&, const Words& words) {
  return core::refuse(ErrorCode::wrong_state,
                      std::string(words.command().name) +
                          " is not available: this endpoint is a Nucleus, not OpenStack");
}

}  // namespace nucleus::client
