#include "client/shell/shell.hpp"

#include <editline/readline.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string_view>
#include <utility>

#include "client/config/yaml_file.hpp"
#include "client/grammar/completion.hpp"
#include "client/grammar/table.hpp"
#include "client/program.hpp"
#include "client/shell/line.hpp"
#include "client/terminal/interrupt.hpp"
#include "client/terminal/terminal.hpp"

namespace nucleus::client {

namespace {

constexpr int history_max = 1'000;
constexpr int script_depth_max = 16;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";  // some editors begin a file with it
// Completion updates a local copy that is older.
constexpr std::int64_t fresh_s = 60;

std::int64_t now_unix_s() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

// libedit's callbacks take no context.
Session* completing = nullptr;

char* next_match(const char* text, int state) {
  static std::vector<std::string> found;
  static std::size_t next = 0;
  if (state == 0) {
    const std::string line(rl_line_buffer, static_cast<std::size_t>(rl_point));
    auto words = split_words(line);
    if (words.empty() || *text == '\0') words.emplace_back();
    found = completions_in(*completing, words, true);
    next = 0;
    const bool is_open = found.size() == 1 && found.front().ends_with('=');
    rl_completion_append_character = is_open ? '\0' : ' ';
  }
  return next < found.size() ? strdup(found[next++].c_str()) : nullptr;
}

char** complete(const char* text, int, int) {
  rl_attempted_completion_over = 1;
  return rl_completion_matches(text, next_match);
}

std::optional<std::string> value_of(Session& session, const std::string& name) {
  if (name.starts_with("os.")) {
    const char* value = std::getenv(name.c_str() + 3);
    return value ? std::optional<std::string>(value) : std::nullopt;
  }
  if (name.find('.') != std::string::npos) return yaml_value(name);
  const auto copy = session.copy();
  if (!copy) return std::nullopt;
  const auto rows = (*copy)->query("select value from variable where name = ?", {name});
  if (!rows || rows->empty()) return std::nullopt;
  return rows->front().front();
}

int run_input(Session& session, std::istream& input) {
  int code = 0;
  std::string line;
  bool is_first = true;
  while (!session.is_over && !is_interrupted() && std::getline(input, line)) {
    if (std::exchange(is_first, false) && line.starts_with(byte_order_mark))
      line.erase(0, byte_order_mark.size());
    if (session.is_echoed) std::cout << "cm> " << line << "\n";
    const int line_code = run_line(session, line);
    if (code == 0) code = line_code;
  }
  return code;
}

}  // namespace

int run_here(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const auto& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::cout << std::flush;
  pid_t child = 0;
  if (posix_spawnp(&child, words[0], nullptr, nullptr, words.data(), environ) != 0) {
    std::cerr << "cm: " << argv.front() << " is not installed\n";
    return 127;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

core::Result<void> refresh_copy(Session& session, const std::string& endpoint) {
  const auto api = session.api(endpoint);
  if (!api) return std::unexpected(api.error());
  const auto clusters = (*api)->get("/nucleus/v1/cluster/");
  if (!clusters) return std::unexpected(clusters.error());
  const auto images = (*api)->get("/nucleus/v1/image");
  if (!images) return std::unexpected(images.error());
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  return (*copy)->keep(session.endpoint_key(endpoint), *clusters, *images, now_unix_s());
}

std::vector<std::string> completions_in(Session& session, const std::vector<std::string>& words,
                                        bool may_refresh) {
  const auto names_of = [&](const std::string& kind,
                            const std::string& cluster) -> std::vector<std::string> {
    if (kind == "FORMAT") return {"table", "json", "yaml", "csv", "rest"};
    if (kind == "COMMAND") {
      std::vector<std::string> names;
      for (const auto& each : command_table().parts) names.emplace_back(each.name);
      return names;
    }
    if (kind == "ENDPOINT") {
      std::vector<std::string> names;
      if (const auto known = Endpoints::read())
        for (const auto& endpoint : known->all) names.push_back(endpoint.name);
      return names;
    }
    const auto copy = session.copy();
    if (copy && kind == "KEY") return (*copy)->key_names();
    if (!copy || (kind != "CLUSTER" && kind != "NODES" && kind != "IMAGE")) return {};
    const auto key = session.endpoint_key();
    const auto kept = (*copy)->kept_unix_s(key);
    // If the server cannot be reached, old names are better than none.
    if (may_refresh && (!kept || now_unix_s() - *kept > fresh_s)) (void)refresh_copy(session, {});
    if (kind == "CLUSTER") return (*copy)->cluster_names(key);
    if (kind == "NODES") return (*copy)->node_names(key, cluster);
    return (*copy)->image_names(key);
  };
  return completions(command_table(), words, names_of);
}

int run_line(Session& session, const std::string& line) {
  const auto read = read_line(line);
  switch (read.kind) {
    case LineKind::empty:
      return 0;
    case LineKind::comment:
      std::cout << painted(read.text, "green", session.is_colored(is_output_terminal())) << "\n";
      return 0;
    case LineKind::shell:
      return run_here({"/bin/sh", "-c", read.text});
    case LineKind::command:
      break;
  }
  const auto words =
      split_words(read.text, [&](const std::string& name) { return value_of(session, name); });
  if (words.empty()) return 0;
  std::error_code error;
  if (!command_table().part(words.front()) &&
      std::filesystem::is_regular_file(words.front(), error))
    return run_script(session, words.front());
  return run_words(session, words);
}

int run_script(Session& session, const std::string& path) {
  std::ifstream file(path);
  if (std::error_code error; std::filesystem::is_directory(path, error))
    file.setstate(std::ios::failbit);
  if (!file || session.script_depth >= script_depth_max) {
    std::cerr << "cm: " << (file ? path + " runs itself" : "cannot read " + path) << "\n";
    return 1;
  }
  ++session.script_depth;
  const int code = run_input(session, file);
  --session.script_depth;
  return code;
}

int run_shell(Session& session) {
  session.is_interactive = is_input_terminal();
  if (!session.is_interactive) return run_input(session, std::cin);
  static char program[] = "cm";
  static char word_ends[] = " \t\n";
  rl_readline_name = program;
  rl_basic_word_break_characters = word_ends;
  rl_initialize();
  using_history();
  stifle_history(history_max);
  std::error_code error;
  std::filesystem::create_directories(client_folder(), error);
  const std::string file = client_folder() + "/history";
  read_history(file.c_str());
  completing = &session;
  rl_attempted_completion_function = complete;
  catch_interrupts();
  int code = 0;
  while (!session.is_over) {
    const std::unique_ptr<char, decltype(&std::free)> line(readline("cm> "), std::free);
    if (is_interrupted()) {
      clear_interrupt();
      std::cout << "^C" << std::endl;
      continue;
    }
    if (!line) break;
    if (*line.get() == '\0') continue;
    add_history(line.get());
    write_history(file.c_str());
    session.history.emplace_back(line.get());
    code = run_line(session, line.get());
    if (!is_interrupted()) continue;
    clear_interrupt();
    // A question that was interrupted leaves standard input in an error state.
    std::clearerr(stdin);
    std::cin.clear();
  }
  return code;
}

}  // namespace nucleus::client
