// default, var, select, switches, info, context, reset, and list: settings and the local copy.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/commands/walltime.hpp"
#include "client/config/yaml_file.hpp"
#include "client/output/views.hpp"
#include "client/shell/shell.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr const char* general = "general";

std::string now_as(const char* format) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, format, &parts);
  return text;
}

/// The value of a variable: `now`, `date`, `default.KEY` and `yaml.PATH` are replaced.
std::string evaluated(LocalCopy& copy, const std::string& value) {
  if (value == "now") return now_as("%Y-%m-%d %H:%M:%S");
  if (value == "date") return now_as("%Y-%m-%d");
  if (value.starts_with("default.")) return copy.setting(general, value.substr(8));
  if (value.starts_with("yaml.")) return yaml_value(value.substr(5)).value_or("");
  return value;
}

/// A stored value that a command would refuse makes each command fail that reads it.
core::Result<void> check_default(const std::string& key, const std::string& value) {
  if (key.empty() || value.empty())
    return core::refuse(ErrorCode::invalid_argument,
                        "use KEY=VALUE with both; delete KEY removes a default");
  if (key == "format")
    if (const auto known = format_of(value); !known) return std::unexpected(known.error());
  if (key == "walltime")
    if (const auto known = parse_walltime(value, key); !known)
      return std::unexpected(known.error());
  return {};
}

}  // namespace

core::Result<int> set_default(Session& session, const Words& words) {
  const auto opened = session.copy();
  if (!opened) return std::unexpected(opened.error());
  auto& copy = **opened;
  const auto given = words.all("WORDS");
  const std::string category = words.has("--cloud") ? words["--cloud"] : general;
  if (given.empty() || given.front() == "list") {
    const bool is_all = words.has("--all") || !words.has("--cloud");
    return print_rows(copy.query("select category, key, value from setting where ? or category = ? "
                                 "order by category, key",
                                 {is_all ? "1" : "0", category}),
                      {"category", "key", "value"}, words["--format"]);
  }
  if (given.front() == "delete" && given.size() == 2) {
    const auto deleted = copy.query(
        "delete from setting where category = ? and key = ? returning key", {category, given[1]});
    if (!deleted) return std::unexpected(deleted.error());
    if (deleted->empty())
      return core::refuse(ErrorCode::not_found, "no such default: " + msg::shown(given[1]));
    return 0;
  }
  if (given.size() != 1)
    return core::refuse(ErrorCode::invalid_argument, "use list, delete KEY, KEY or KEY=VALUE");
  if (const auto equals = given[0].find('='); equals != std::string::npos) {
    const auto key = given[0].substr(0, equals);
    const auto value = given[0].substr(equals + 1);
    if (auto checked = check_default(key, value); !checked) return std::unexpected(checked.error());
    return exit_code(copy.set(category, key, value));
  }
  const auto value = copy.setting(category, given.front());
  if (value.empty())
    return core::refuse(ErrorCode::not_found, "no such default: " + msg::shown(given.front()));
  std::cout << value << "\n";
  return 0;
}

core::Result<int> set_variable(Session& session, const Words& words) {
  const auto opened = session.copy();
  if (!opened) return std::unexpected(opened.error());
  auto& copy = **opened;
  const auto given = words.all("WORDS");
  if (given.empty() || given.front() == "list")
    return print_rows(copy.query("select name, value from variable order by name"),
                      {"name", "value"}, "table");
  if (given.front() == "delete" && given.size() == 2) {
    const auto deleted =
        copy.query("delete from variable where name = ? returning name", {given[1]});
    if (!deleted) return std::unexpected(deleted.error());
    if (deleted->empty())
      return core::refuse(ErrorCode::not_found, "no such variable: " + msg::shown(given[1]));
    return 0;
  }
  const std::string text = words.joined("WORDS");
  if (const auto equals = text.find('='); equals != std::string::npos) {
    const auto name = text.substr(0, equals);
    constexpr const char* of_name =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    if (name.empty() || name.find_first_not_of(of_name) != std::string::npos)
      return core::refuse(
          ErrorCode::invalid_argument,
          "a variable's name has letters, digits, _ and . only: " + msg::shown(name));
    const auto set = copy.query("insert or replace into variable values(?, ?)",
                                {name, evaluated(copy, text.substr(equals + 1))});
    if (!set) return std::unexpected(set.error());
    return 0;
  }
  const auto rows = copy.query("select value from variable where name = ?", {text});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty())
    return core::refuse(ErrorCode::not_found, "no such variable: " + msg::shown(text));
  std::cout << rows->front().front() << "\n";
  return 0;
}

core::Result<int> switch_setting(Session& session, const Words& words) {
  const std::string key = words.command().name;
  auto value = words["VALUE"];
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  for (char& c : value) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (value == "list") {
    const auto now = (*copy)->setting(general, key);
    const char* fallback = key == "color" ? "on" : "off";
    std::cout << key << " is " << (now.empty() ? fallback : now) << "\n";
    return 0;
  }
  if (value != "on" && value != "off")
    return core::refuse(ErrorCode::invalid_argument, key + " must be on or off");
  return exit_code((*copy)->set(general, key, value));
}

core::Result<int> list_copy(Session& session, const Words& words) {
  const auto what = words["WHAT"];
  const auto format = words["--format"];
  if (what == "default") {
    Words all(words.command());
    all.set("--format", {format});
    return set_default(session, all);
  }
  if (what != "image" && what != "cluster" && what != "node" && what != "vm")
    return core::refuse(ErrorCode::invalid_argument,
                        "WHAT must be default, cluster, node, vm or image");
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  // The copy is updated by --refresh, by `refresh on`, and if there is none yet.
  const std::string cloud = words["--cloud"];
  const std::string key = session.endpoint_key(cloud);
  if (words.has("--refresh") || session.is_on("refresh") || !(*copy)->kept_unix_s(key))
    if (auto done = refresh_copy(session, cloud); !done) return std::unexpected(done.error());
  if (what == "image")
    return print_rows(
        (*copy)->query("select name from image where endpoint = ? order by name", {key}), {"name"},
        format);
  const auto clusters = (*copy)->clusters(key);
  if (!clusters) return std::unexpected(clusters.error());
  if (what == "cluster") return print(list_view(*clusters), format, *clusters);
  const auto nodes = node_view(*clusters, Json::list(), NodeColumns::concise);
  if (!nodes) return std::unexpected(nodes.error());
  return print(*nodes, format, *clusters);
}

core::Result<int> show_info(Session& session, const Words& words) {
  const auto endpoint = choose_endpoint(words["--cloud"]);
  Listing listing{.columns = {"Attribute", "Value"}};
  listing.rows = {{"version", NUCLEUS_VERSION},
                  {"endpoint", endpoint ? endpoint->url : endpoint.error().detail},
                  {"yaml file", configuration_file()},
                  {"local copy", LocalCopy::file_in(client_folder())},
                  {"default key", session.setting("key")},
                  {"default cluster", session.setting("cluster")},
                  {"default image", session.setting("image")}};
  return print_local(listing, words["--format"]);
}

core::Result<int> show_context(Session& session, const Words& words) {
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  return print_rows(
      (*copy)->query("select 'default ' || category, key, value from setting union all "
                     "select 'var', name, value from variable order by 1, 2"),
      {"kind", "name", "value"}, words["--format"]);
}

core::Result<int> reset_all(Session& session, const Words&) {
  if (!is_confirmed("Erase all settings, variables, keys and the local copy?")) return 1;
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  if (auto done = (*copy)->erase(); !done) return std::unexpected(done.error());
  session.is_over = true;
  return 0;
}

core::Result<int> select_default(Session& session, const Words& words) {
  const auto what = words["WHAT"];
  std::vector<std::string> names;
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  if (what == "image" || what == "cluster") {
    if (auto done = refresh_copy(session, {}); !done) return std::unexpected(done.error());
    const auto key = session.endpoint_key();
    names = what == "image" ? (*copy)->image_names(key) : (*copy)->cluster_names(key);
  } else if (what == "key") {
    names = (*copy)->key_names();
  } else if (what == "cloud") {
    const auto known = Endpoints::read();
    if (!known) return std::unexpected(known.error());
    for (const auto& endpoint : known->all) names.push_back(endpoint.name);
  } else {
    return core::refuse(
        ErrorCode::invalid_argument,
        what == "flavor" ? "Nucleus has no flavors" : "WHAT must be image, cloud, cluster or key");
  }
  auto name = core::Result<std::string>(words["NAME"]);
  if (name->empty()) name = pick(what, names);
  if (!name) return std::unexpected(name.error());
  if (std::ranges::find(names, *name) == names.end())
    return core::refuse(ErrorCode::not_found, "no such " + what + ": " + msg::shown(*name));
  std::cout << what << " " << *name << "\n";
  if (what == "cloud") return exit_code(write_active(*name));
  return exit_code((*copy)->set(general, what, *name));
}

}  // namespace nucleus::client
