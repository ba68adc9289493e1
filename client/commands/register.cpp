// register: the yaml file of endpoints, shown, checked and changed.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"
#include "client/shell.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// FILE.bak.1, .2, …: the first that is free.
core::Result<int> back_up() {
  constexpr int backups_max = 10'000;
  const std::string path = configuration_file();
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return core::refuse(ErrorCode::not_found, "there is no " + path);
  for (int i = 1; i <= backups_max; ++i) {
    const std::string backup = path + ".bak." + std::to_string(i);
    if (!std::filesystem::copy_file(path, backup, std::filesystem::copy_options::none, error)) {
      if (error == std::errc::file_exists) continue;
      return core::refuse(ErrorCode::unavailable, backup + ": " + error.message());
    }
    std::cout << backup << "\n";
    return 0;
  }
  return core::refuse(ErrorCode::unavailable, "there are too many backups");
}

core::Result<int> print_file() {
  std::ifstream file(configuration_file());
  if (!file) return core::refuse(ErrorCode::not_found, "there is no " + configuration_file());
  if (file.peek() != std::ifstream::traits_type::eof()) std::cout << file.rdbuf();
  return 0;
}

core::Result<int> start_file() {
  std::error_code error;
  if (std::filesystem::exists(configuration_file(), error))
    return core::refuse(ErrorCode::wrong_state,
                        configuration_file() + " is there: register clean takes it away");
  const char* user = std::getenv("USER");
  if (auto written = write_endpoint(user ? user : "TBD", {.name = "nucleus", .url = "TBD"});
      !written)
    return std::unexpected(written.error());
  std::cout << configuration_file() << "\n";
  return 0;
}

core::Result<int> clean() {
  if (!is_confirmed("Take " + configuration_file() + " away? A backup stays.")) return 1;
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

/// Each endpoint's URL and credential are there; with `is_asked` its server is asked, too.
core::Result<int> check_all(Session& session, const std::string& only, bool is_asked) {
  const auto known = Endpoints::read();
  if (!known) return std::unexpected(known.error());
  Listing listing{.columns = {"endpoint", "url", "what"}};
  bool is_well = true;
  for (const auto& endpoint : known->all) {
    if (!only.empty() && endpoint.name != only) continue;
    std::string what = "well";
    if (const auto url = parse_base_url(endpoint.url); !url) {
      what = "no URL";
    } else if (const auto chosen = choose_endpoint(endpoint.name); !chosen) {
      what = "no credential";
    } else if (is_asked) {
      const auto api = session.api(endpoint.name);
      const auto user = api ? (*api)->get("/nucleus/v1/user") : std::unexpected(api.error());
      what = user ? "accepted" : user.error().detail;
      if (!user) is_well = false;
    }
    if (what.starts_with("no ")) is_well = false;
    listing.rows.push_back({endpoint.name, endpoint.url, what});
  }
  if (listing.rows.empty()) return core::refuse(ErrorCode::not_found, "there is no such endpoint");
  if (auto printed = print(listing, "table", {}); !printed) return printed;
  return is_well ? 0 : 1;
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
  return print(listing, format == "rest" ? "json" : format, {});
}

core::Result<int> info() {
  std::error_code error;
  const auto known = Endpoints::read();
  if (!known) return std::unexpected(known.error());
  const bool is_there = std::filesystem::exists(configuration_file(), error);
  std::cout << configuration_file() << (is_there ? "" : " (not there)") << "\n"
            << known->all.size() << " endpoints"
            << (known->active.empty() ? "" : ", active " + known->active) << "\n";
  return 0;
}

core::Result<int> changed(const core::Result<void>& done) {
  if (!done) return std::unexpected(done.error());
  return 0;
}

}  // namespace

core::Result<int> register_yaml(Session& session, const Words& words) {
  const auto verb = words["VERB"];
  const auto name = words["NAME"];
  const auto named = [&]() -> core::Result<void> {
    if (!name.empty()) return {};
    return core::refuse(ErrorCode::invalid_argument, "say register " + verb + " and its name");
  };
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
    const auto whole = yaml_as_json();
    if (!whole) return std::unexpected(whole.error());
    std::cout << whole->dumped(4) << "\n";
    return 0;
  }
  if (verb == "user" || verb == "merge") {
    if (auto said = named(); !said) return std::unexpected(said.error());
    return changed(verb == "user" ? write_username(name) : merge_yaml(name));
  }
  return core::refuse(
      ErrorCode::wrong_state,
      "register " + msg::shown(verb) + " is for other clouds than Comet, which are not here yet");
}

}  // namespace nucleus::client
