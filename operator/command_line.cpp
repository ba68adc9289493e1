#include "operator/command_line.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <sstream>

#include "messages/text.hpp"
#include "operator/state_directory.hpp"

namespace nucleus::operator_ {

namespace {

std::string reason_if_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n,") == std::string::npos ? "the value is empty" : "";
}

std::string reason_if_no_name(const std::string& text) {
  const auto broken = msg::check_name("it", text);
  return broken ? broken->detail : "";
}

}  // namespace

CommandOption& CommandOption::required() {
  option_->required();
  return *this;
}

CommandOption& CommandOption::show_default() {
  option_->capture_default_str();
  return *this;
}

CommandOption& CommandOption::between(std::uint32_t least, std::uint32_t most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

CommandOption& CommandOption::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}

CommandOption& CommandOption::existing_file() {
  option_->check(CLI::ExistingFile);
  return *this;
}

CommandOption& CommandOption::name() {
  option_->check(reason_if_no_name);
  return *this;
}

CommandOption& CommandOption::needs(const CommandOption& other) {
  option_->needs(other.option_);
  return *this;
}

CommandOption& CommandOption::excludes(const CommandOption& other) {
  option_->excludes(other.option_);
  return *this;
}

CommandOption CommandOptions::add(const std::string& name, std::string& value,
                                  const std::string& help) {
  return CommandOption(command_->add_option(name, value, help)->check(reason_if_blank));
}

CommandOption CommandOptions::add_free_text(const std::string& name, std::string& value,
                                            const std::string& help) {
  return CommandOption(command_->add_option(name, value, help));
}

CommandOption CommandOptions::add_free_text(const std::string& name,
                                            std::optional<std::string>& value,
                                            const std::string& help) {
  return CommandOption(command_->add_option(name, value, help));
}

CommandOption CommandOptions::add(const std::string& name, std::optional<std::int64_t>& value,
                                  const std::string& help) {
  return CommandOption(command_->add_option(name, value, help)->check(reason_if_blank));
}

CommandOption CommandOptions::add(const std::string& name, std::optional<double>& value,
                                  const std::string& help) {
  return CommandOption(command_->add_option(name, value, help)->check(reason_if_blank));
}

CommandOption CommandOptions::add(const std::string& name, std::uint64_t& value,
                                  const std::string& help) {
  return CommandOption(command_->add_option(name, value, help)->check(reason_if_blank));
}

CommandOption CommandOptions::add(const std::string& name, std::uint32_t& value,
                                  const std::string& help) {
  return CommandOption(command_->add_option(name, value, help)->check(reason_if_blank));
}

CommandOption CommandOptions::add(const std::string& name, std::vector<std::string>& values,
                                  const std::string& help) {
  return CommandOption(command_->add_option(name, values, help)->check(reason_if_blank));
}

CommandOption CommandOptions::flag(const std::string& name, bool& value, const std::string& help) {
  return CommandOption(command_->add_flag(name, value, help));
}

void CommandOptions::state(std::string& directory) {
  directory = StateDirectory::default_root().string();
  add("--state", directory, "state directory of the deployment").show_default();
}

Commands Commands::group(const std::string& name, const std::string& help) {
  auto* group = app_->add_subcommand(name, help);
  group->require_subcommand(1);
  return {group, chosen_};
}

CommandOptions Commands::add(const std::string& name, const std::string& help, Action action) {
  auto* command = app_->add_subcommand(name, help);
  command->callback([chosen = chosen_, action = std::move(action)] { *chosen = action; });
  return CommandOptions(command);
}

void Commands::hide(const std::string& name) {
  app_->get_subcommand(name)->group("");
}

namespace {

/// Replaces control characters of what is written to a stream: texts of hosts, guests and people
/// are no commands to the terminal.
class Printable : public std::stringbuf {
 public:
  explicit Printable(std::ostream& stream) : stream_{stream}, terminal_{stream.rdbuf(this)} {}
  ~Printable() override {
    sync();
    stream_.rdbuf(terminal_);
  }
  Printable(const Printable&) = delete;
  Printable& operator=(const Printable&) = delete;

 private:
  int sync() override {
    const auto text = msg::printable(str());
    str({});
    const auto size = static_cast<std::streamsize>(text.size());
    return terminal_->sputn(text.data(), size) == size ? terminal_->pubsync() : -1;
  }

  std::ostream& stream_;
  std::streambuf* terminal_;
};

}  // namespace

int run_command_line(int argc, char** argv, const std::function<void(Commands&)>& describe) {
  const Printable output(std::cout);
  const Printable errors(std::cerr);
  CLI::App app{"Nucleus: virtual clusters on an HPC centre's own hardware."};
  app.name("nucleus");
  app.set_version_flag("--version", "nucleus " NUCLEUS_VERSION);
  app.require_subcommand(1);
  Action chosen;
  Commands commands(&app, &chosen);
  describe(commands);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto done = chosen();
  if (done) return *done;
  std::cerr << "nucleus: " << done.error().detail << "\n";
  return done.error().code == core::ErrorCode::invalid_argument ? 2 : 1;
}

}  // namespace nucleus::operator_
