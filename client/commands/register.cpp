// register: shows, checks and changes the yaml file of endpoints.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/config/yaml_file.hpp"
#include "client/http/url.hpp"
#include "client/shell/shell.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// Copies the file to the first free name of FILE.bak.1, .2, …
core::Result<int> back_up() {
  constexpr int backups_max = 10'000;
  const std::string path = configuration_file();
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return core::refuse(ErrorCode::not_found, "no such file: " + path);
  for (int i = 1; i <= backups_max; ++i) {
    const std::string backup = path + ".bak." + std::to_string(i);
    if (!std::filesystem::copy_file(path, backup, std::filesystem::copy_options::none, error)) {
      if (error == std::errc::file_exists) continue;
      return core::refuse(ErrorCode::unavailable, backup + ": " + error.message());
    }
    std::cout << backup << "\n";
    return 0;
  }
  return core::refuse(ErrorCode::unavailable, "too many backups: delete some " + path + ".bak.*");
}

core::Result<int> print_file() {
  std::ifstream file(configuration_file());
  if (!file) return core::refuse(ErrorCode::not_found, "no such file: " + configuration_file());
  if (file.peek() != std::ifstream::traits_type::eof()) std::cout << file.rdbuf();
  return 0;
}

core::Result<int> start_file() {
  std::error_code error;
  if (std::filesystem::exists(configuration_file(), error))
    return core::refuse(ErrorCode::wrong_state,
                        configuration_file() + " already exists: register clean removes it");
  const char* user = std::getenv("USER");
  if (auto written = write_endpoint(user ? user : "TBD", {.name = "nucleus", .url = "TBD"});
      !written)
    return std::unexpected(written.error());
  std::cout << configuration_file() << "\n";
  return 0;
}

core::Result<int> clean() {
  if (!is_confirmed("Remove " + configuration_file() + "? A backup is kept.")) return 1;
  if (auto done = back_up(); !done) return done;
  std::error_code error;
  std::filesystem::remove(configuration_file(), error);
  if (error) return core::refuse(ErrorCode::unavailable, error.message());
  return 0;
}

core::Result<int> edit() {
  const char* editor = std::getenv("EDITOR");
  return run_here({editor && *editor ? editor : "vi", configuration_file()});
}

core::Result<int> print_environment(const std::string& name) {
  const auto endpoint = choose_endpoint(name);
  if (!endpoint) return std::unexpected(endpoint.error());
  const auto line = [](const std::string& key, const std::string& value) {
    if (value.empty()) return;
    std::string quoted = "'";
    for (const char c : value) quoted += c == '\'' ? "'\\''" : std::string(1, c);
    std::cout << "export " << key << "=" << quoted << "'\n";
  };
  line("NUCLEUS_URL", endpoint->url);
  line("NUCLEUS_TOKEN", endpoint->token);
  line("NUCLEUS_API_KEY_NAME", endpoint->key_name);
  line("NUCLEUS_API_KEY_SECRET", endpoint->key_secret);
  line("NUCLEUS_CA_FILE", endpoint->ca_file);
  return 0;
}

/// Checks that each endpoint has a URL and a credential; with `with_server` also that the server
/// accepts it. `only` names one endpoint, or is empty.
core::Result<int> check_all(Session& session, const std::string& only, bool with_server) {
  const auto known = Endpoints::read();
  if (!known) return std::unexpected(known.error());
  Listing listing{.columns = {"endpoint", "url", "result"}};
  bool is_valid = true;
  for (const auto& endpoint : known->all) {
    if (!only.empty() && endpoint.name != only) continue;
    std::string result = "ok";
    if (const auto url = parse_base_url(endpoint.url); !url) {
      result = "no URL";
    } else if (const auto chosen = choose_endpoint(endpoint.name); !chosen) {
      result = "no credential";
    } else if (with_server) {
      const auto api = session.api(endpoint.name);
      const auto user = api ? (*api)->get("/nucleus/v1/user") : std::unexpected(api.error());
      result = user ? "accepted" : user.error().detail;
      if (!user) is_valid = false;
    }
    if (result.starts_with("no ")) is_valid = false;
    listing.rows.push_back({endpoint.name, endpoint.url, result});
  }
  if (listing.rows.empty()) return core::refuse(ErrorCode::not_found, "no such endpoint");
  if (auto printed = print(listing, "table", {}); !printed) return printed;
  return is_valid ? 0 : 1;
}

core::Result<int> list_endpoints(const std::string& format) {
  const auto known = Endpoints::read();
  if (!known) return std::unexpected(known.error());
  Listing listing{.columns = {"endpoint", "url", "active", "credential"}};
  for (const auto& each : known->all)
    listing.rows.push_back({each.name, each.url, each.name == known->active ? "*" : "",
                            !each.token.empty()      ? "token"
                            : !each.key_name.empty() ? "API key"
                            : !each.username.empty() ? "password"
                                                     : "none"});
  return print_local(listing, format);
}

core::Result<int> info() {
  std::error_code error;
  const auto known = Endpoints::read();
  if (!known) return std::unexpected(known.error());
  const bool exists = std::filesystem::exists(configuration_file(), error);
  std::cout << configuration_file() << (exists ? "" : " (does not exist)") << "\n"
            << known->all.size() << " endpoints"
            << (known->active.empty() ? "" : ", active " + known->active) << "\n";
  return 0;
}

}  // namespace

core::Result<int> register_yaml(Session& session, const Words& words) {
  const auto verb = words["VERB"];
  const auto name = words["NAME"];
  if (verb == "info") return info();
  if (verb == "list") return list_endpoints(words["--format"]);
  if (verb == "cat") return print_file();
  if (verb == "new") return start_file();
  if (verb == "backup") return back_up();
  if (verb == "clean") return clean();
  if (verb == "edit") return edit();
  if (verb == "env" || verb == "export") return print_environment(name);
  if (verb == "check") return check_all(session, name, false);
  if (verb == "test") return check_all(session, name, true);
  if (verb == "cloud") return init_endpoint(session, words);
  if (verb == "json") {
    const auto whole = read_yaml();
    if (!whole) return std::unexpected(whole.error());
    std::cout << whole->dumped(4) << "\n";
    return 0;
  }
  if (verb == "user" || verb == "merge") {
    if (name.empty())
      return core::refuse(ErrorCode::invalid_argument, "use register " + verb + " NAME");
    return exit_code(verb == "user" ? write_username(name) : merge_yaml(name));
  }
  return core::refuse(ErrorCode::wrong_state,
                      "register " + msg::shown(verb) +
                          " is not available: this endpoint is a Nucleus, not OpenStack");
}

}  // namespace nucleus::client
