// Commands of the shell that keep something or read the local copy: defaults, variables, switches,
// listings and their refresh rule.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/shell.hpp"
#include "client/views.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr const char* general = "general";

core::Result<int> ended(const core::Result<void>& done) {
  if (!done) return std::unexpected(done.error());
  return 0;
}

std::string now_as(const char* form) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, form, &parts);
  return text;
}

std::string worked_out(LocalCopy& copy, const std::string& value) {
  if (value == "now") return now_as("%Y-%m-%d %H:%M:%S");
  if (value == "date") return now_as("%Y-%m-%d");
  if (value.starts_with("default.")) return copy.setting(general, value.substr(8));
  if (value.starts_with("yaml.")) return yaml_value(value.substr(5)).value_or("");
  return value;
}

}  // namespace

core::Result<int> set_default(Session& session, const Words& words) {
  const auto opened = session.copy();
  if (!opened) return std::unexpected(opened.error());
  auto& copy = **opened;
  const auto said = words.all("WORDS");
  const std::string category = words.has("--cloud") ? words["--cloud"] : general;
  if (said.empty() || said.front() == "list") {
    const bool is_all = words.has("--all") || !words.has("--cloud");
    return print_rows(copy.ask("select category, key, value from setting where ? or category = ? "
                               "order by category, key",
                               {is_all ? "1" : "0", category}),
                      {"category", "key", "value"}, words["--format"]);
  }
  if (said.front() == "delete" && said.size() == 2) {
    const auto gone = copy.ask("delete from setting where category = ? and key = ? returning key",
                               {category, said[1]});
    if (!gone) return std::unexpected(gone.error());
    if (gone->empty())
      return core::refuse(ErrorCode::not_found, "no default " + msg::shown(said[1]));
    return 0;
  }
  if (said.size() != 1)
    return core::refuse(ErrorCode::invalid_argument, "say list, delete KEY, KEY or KEY=VALUE");
  if (const auto equals = said[0].find('='); equals != std::string::npos)
    return ended(copy.set(category, said[0].substr(0, equals), said[0].substr(equals + 1)));
  const auto value = copy.setting(category, said.front());
  if (value.empty())
    return core::refuse(ErrorCode::not_found, "no default " + msg::shown(said.front()));
  std::cout << value << "\n";
  return 0;
}

core::Result<int> set_variable(Session& session, const Words& words) {
  const auto opened = session.copy();
  if (!opened) return std::unexpected(opened.error());
  auto& copy = **opened;
  const auto said = words.all("WORDS");
  if (said.empty() || said.front() == "list")
    return print_rows(copy.ask("select name, value from variable order by name"), {"name", "value"},
                      "table");
  if (said.front() == "delete" && said.size() == 2) {
    const auto gone = copy.ask("delete from variable where name = ? returning name", {said[1]});
    if (!gone) return std::unexpected(gone.error());
    if (gone->empty())
      return core::refuse(ErrorCode::not_found, "no variable " + msg::shown(said[1]));
    return 0;
  }
  const std::string text = words.joined("WORDS");
  if (const auto equals = text.find('='); equals != std::string::npos) {
    const auto set = copy.ask("insert or replace into variable values(?, ?)",
                              {text.substr(0, equals), worked_out(copy, text.substr(equals + 1))});
    if (!set) return std::unexpected(set.error());
    return 0;
  }
  const auto rows = copy.ask("select value from variable where name = ?", {text});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return core::refuse(ErrorCode::not_found, "no variable " + msg::shown(text));
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
    const char* otherwise = key == "color" ? "on" : "off";
    std::cout << key << " is " << (now.empty() ? otherwise : now) << "\n";
    return 0;
  }
  if (value != "on" && value != "off")
    return core::refuse(ErrorCode::invalid_argument, key + " is on or off");
  return ended((*copy)->set(general, key, value));
}

core::Result<int> list_copy(Session& session, const Words& words) {
  const auto what = words["WHAT"];
  const auto format = words["--format"];
  if (what == "default") {
    Words all(words.command());
    all.say("--format", {format});
    return set_default(session, all);
  }
  if (what != "image" && what != "cluster" && what != "node" && what != "vm")
    return core::refuse(ErrorCode::invalid_argument, "list default, cluster, node, vm or image");
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  // The copy is read; the server is asked first by --refresh, `refresh on`, or where there is none.
  const std::string cloud = words["--cloud"];
  const std::string key = session.endpoint_key(cloud);
  if (words.has("--refresh") || session.is_on("refresh") || !(*copy)->kept_unix_s(key))
    if (auto done = refresh_copy(session, cloud); !done) return std::unexpected(done.error());
  if (what == "image")
    return print_rows(
        (*copy)->ask("select name from image where endpoint = ? order by name", {key}), {"name"},
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
  return print(listing, words["--format"] == "rest" ? "json" : words["--format"], {});
}

core::Result<int> show_context(Session& session, const Words& words) {
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  return print_rows((*copy)->ask("select 'default ' || category, key, value from setting union all "
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
    return core::refuse(ErrorCode::invalid_argument,
                        what == "flavor" ? "a cluster's nodes are whole hosts: there are no flavors"
                                         : "select image, cloud, cluster or key");
  }
  auto name = core::Result<std::string>(words["NAME"]);
  if (name->empty()) name = pick(what, names);
  if (!name) return std::unexpected(name.error());
  if (std::ranges::find(names, *name) == names.end())
    return core::refuse(ErrorCode::not_found, "there is no " + what + " " + msg::shown(*name));
  std::cout << what << " " << *name << "\n";
  if (what == "cloud") return ended(write_active(*name));
  return ended((*copy)->set(general, what, *name));
}

}  // namespace nucleus::client
