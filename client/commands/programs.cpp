// exec, shell, py, open, ssh, rsync and sync: other programs at this terminal.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/config/yaml_file.hpp"
#include "client/shell/line.hpp"
#include "client/shell/shell.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

core::Result<int> run_program_with(std::vector<std::string> argv, const Words& words) {
  for (auto& word : words.all("ARGS")) argv.push_back(std::move(word));
  return run_here(argv);
}

/// One `Host` of ~/.ssh/config.
struct SshHost {
  std::string name = {};
  std::string host_name = {};
  std::string user = {};
  std::string identity_file = {};
};

std::string ssh_file() {
  return home_folder() + "/.ssh/config";
}

/// Reads `Keyword value` and `Keyword=value`, with keywords in either case.
std::vector<SshHost> ssh_hosts() {
  std::vector<SshHost> hosts;
  std::ifstream file(ssh_file());
  for (std::string line; std::getline(file, line);) {
    std::ranges::replace(line, '=', ' ');
    const auto fields = split_words(line);
    if (fields.size() < 2 || fields[0].starts_with('#')) continue;
    std::string keyword = fields[0];
    std::ranges::transform(keyword, keyword.begin(), [](char c) {
      return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    if (keyword == "host")
      for (std::size_t i = 1; i < fields.size(); ++i) hosts.push_back({.name = fields[i]});
    if (hosts.empty()) continue;
    if (keyword == "hostname") hosts.back().host_name = fields[1];
    if (keyword == "user") hosts.back().user = fields[1];
    if (keyword == "identityfile") hosts.back().identity_file = fields[1];
  }
  return hosts;
}

core::Result<int> register_host(const std::vector<std::string>& fields) {
  const auto is_word = [](const std::string& word) {
    return !word.empty() && word.find_first_of(" \t\r\n\"") == std::string::npos;
  };
  if (fields.size() < 2 || !std::ranges::all_of(fields, is_word))
    return core::refuse(ErrorCode::invalid_argument,
                        "use ssh register NAME HostName=ADDRESS User=NAME …");
  const auto hosts = ssh_hosts();
  if (std::ranges::find(hosts, fields[1], &SshHost::name) != hosts.end())
    return core::refuse(ErrorCode::wrong_state, fields[1] + " is already in " + ssh_file());
  std::string entry = "\nHost " + fields[1] + "\n";
  for (std::size_t i = 2; i < fields.size(); ++i) {
    const auto equals = fields[i].find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == fields[i].size())
      return core::refuse(ErrorCode::invalid_argument, fields[i] + " is not KEYWORD=VALUE");
    entry += "  " + fields[i].substr(0, equals) + " " + fields[i].substr(equals + 1) + "\n";
  }
  std::error_code error;
  const auto mask = umask(077);
  std::filesystem::create_directories(std::filesystem::path(ssh_file()).parent_path(), error);
  std::ofstream file(ssh_file(), std::ios::app);
  umask(mask);
  file << entry << std::flush;
  if (!file) return core::refuse(ErrorCode::unavailable, "cannot write " + ssh_file());
  return 0;
}

}  // namespace

core::Result<int> exec_file(Session& session, const Words& words) {
  return run_script(session, words["FILENAME"]);
}

core::Result<int> run_shell_line(Session&, const Words& words) {
  return run_here({"/bin/sh", "-c", words.joined("ARGS")});
}

core::Result<int> run_python(Session&, const Words& words) {
  std::vector<std::string> argv = {"python3"};
  if (words.has("ARGS")) argv.insert(argv.end(), {"-c", words.joined("ARGS")});
  return run_here(argv);
}

core::Result<int> open_in_desktop(Session&, const Words& words) {
  return run_program_with({"xdg-open"}, words);
}

core::Result<int> ssh(Session&, const Words& words) {
  const auto fields = words.all("ARGS");
  const std::string verb = fields.empty() ? "" : fields.front();
  if (verb == "register") return register_host(fields);
  if (fields.size() > 1 || (verb != "table" && verb != "list" && verb != "cat"))
    return run_program_with({"ssh"}, words);
  if (verb == "cat") {
    std::ifstream file(ssh_file());
    if (!file) return core::refuse(ErrorCode::not_found, "no such file: " + ssh_file());
    if (file.peek() != std::ifstream::traits_type::eof()) std::cout << file.rdbuf();
    return 0;
  }
  Listing listing{.columns = {"host", "hostname", "user", "identityfile"}};
  for (const auto& host : ssh_hosts()) {
    if (verb == "list") std::cout << host.name << "\n";
    listing.rows.push_back({host.name, host.host_name, host.user, host.identity_file});
  }
  return verb == "list" ? core::Result<int>(0) : print(listing, "table", {});
}

core::Result<int> rsync(Session&, const Words& words) {
  return run_program_with({"rsync"}, words);
}

core::Result<int> sync_files(Session& session, const Words& words) {
  const auto verb = words["VERB"];
  auto host = words["--cloud"];
  if (host.empty()) host = session.setting("cloud");
  if (verb != "put" && verb != "get")
    return core::refuse(ErrorCode::invalid_argument, "use sync put or sync get");
  if (host.empty() || host.starts_with('-'))
    return core::refuse(ErrorCode::invalid_argument,
                        "name the machine with --cloud, as ssh knows it");
  const bool is_put = verb == "put";
  return run_here({"rsync", "-az", "--", is_put ? words["FROM"] : host + ":" + words["FROM"],
                   is_put ? host + ":" + words["TO"] : words["TO"]});
}

}  // namespace nucleus::client
