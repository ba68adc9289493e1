// Commands of the shell that keep something or read the local copy: defaults, variables, switches,
// listings and their refresh rule, stopwatches.
#include <chrono>
#include <ctime>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/shell.hpp"
#include "client/views.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

using Text = std::shared_ptr<std::string>;
constexpr const char* general = "general";

core::Result<int> listed(const core::Result<std::vector<LocalCopy::Row>>& rows,
                         std::vector<std::string> columns, const std::string& format) {
  if (!rows) return std::unexpected(rows.error());
  const Listing listing{.columns = std::move(columns), .rows = *rows};
  return print(listing, format == "rest" ? "json" : format, {});
}

core::Result<int> ended(const core::Result<void>& done) {
  if (!done) return std::unexpected(done.error());
  return 0;
}

/// `default`: list, delete KEY, KEY, or KEY=VALUE.
core::Result<int> defaults(LocalCopy& copy, const std::vector<std::string>& words,
                           const std::string& category, const std::string& format) {
  if (words.empty() || words.front() == "list")
    return listed(copy.ask("select category, key, value from setting order by category, key"),
                  {"category", "key", "value"}, format);
  if (words.front() == "delete" && words.size() == 2) {
    const auto gone = copy.ask("delete from setting where category = ? and key = ? returning key",
                               {category, words[1]});
    if (!gone) return std::unexpected(gone.error());
    if (gone->empty())
      return core::refuse(ErrorCode::not_found, "no default " + msg::shown(words[1]));
    return 0;
  }
  const auto equals = words.front().find('=');
  if (words.size() != 1)
    return core::refuse(ErrorCode::invalid_argument, "say list, delete KEY, KEY or KEY=VALUE");
  if (equals != std::string::npos)
    return ended(copy.set(category, words[0].substr(0, equals), words[0].substr(equals + 1)));
  const auto value = copy.setting(category, words.front());
  if (value.empty())
    return core::refuse(ErrorCode::not_found, "no default " + msg::shown(words.front()));
  std::cout << value << "\n";
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

/// `var`: list, delete NAME, NAME, or NAME=VALUE.
core::Result<int> variables(LocalCopy& copy, const std::vector<std::string>& words) {
  if (words.empty() || words.front() == "list")
    return listed(copy.ask("select name, value from variable order by name"), {"name", "value"},
                  "table");
  std::string text = words.front();
  for (std::size_t i = 1; i < words.size(); ++i) text += " " + words[i];
  if (words.front() == "delete" && words.size() == 2) {
    const auto gone = copy.ask("delete from variable where name = ?", {words[1]});
    if (!gone) return std::unexpected(gone.error());
    return 0;
  }
  const auto equals = text.find('=');
  if (equals != std::string::npos) {
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

/// A switch that is kept: on, off, or what it is.
core::Result<int> switched(Session& session, const std::string& key, std::string value) {
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  for (char& c : value) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (value.empty() || value == "list") {
    const auto now = (*copy)->setting(general, key);
    std::cout << key << " is " << (now.empty() ? "off" : now) << "\n";
    return 0;
  }
  if (value != "on" && value != "off")
    return core::refuse(ErrorCode::invalid_argument, key + " is on or off");
  if (key == "debug") session.is_debugging = value == "on";
  return ended((*copy)->set(general, key, value));
}

/// The copy is read; it is asked for first by --refresh, `refresh on`, or where there is none.
core::Result<int> list(Session& session, const std::string& what, const std::string& format,
                       bool is_refreshed) {
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  if (what == "default") return defaults(**copy, {}, general, format);
  const std::string key = session.endpoint_key();
  if (is_refreshed || (*copy)->setting(general, "refresh") == "on" || !(*copy)->kept_unix_s(key))
    if (auto done = refresh_copy(session, {}); !done) return std::unexpected(done.error());
  if (what == "image")
    return listed((*copy)->ask("select name from image where endpoint = ? order by name", {key}),
                  {"name"}, format);
  const auto clusters = (*copy)->clusters(key);
  if (!clusters) return std::unexpected(clusters.error());
  if (what == "cluster") return print(list_view(*clusters), format, *clusters);
  if (what == "node" || what == "vm") {
    const auto nodes = node_view(*clusters, Json::array(), NodeColumns::concise);
    if (!nodes) return std::unexpected(nodes.error());
    return print(*nodes, format, *clusters);
  }
  return core::refuse(ErrorCode::invalid_argument, "list default, cluster, node, vm or image");
}

core::Result<int> check(Session& session) {
  const auto endpoint = choose_endpoint({});
  if (!endpoint) return std::unexpected(endpoint.error());
  std::cout << "endpoint     " << (endpoint->name.empty() ? "environment" : endpoint->name) << " "
            << endpoint->url << "\n";
  const auto api = session.api();
  if (!api) return std::unexpected(api.error());
  const auto user = (*api)->get("/nucleus/v1/user");
  if (!user) return std::unexpected(user.error());
  std::cout << "credential   accepted, of " << text_at(*user, "username") << "\n";
  return 0;
}

core::Result<int> info(Session& session) {
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  const auto endpoint = choose_endpoint({});
  Listing listing{.columns = {"Attribute", "Value"}};
  listing.rows = {{"version", NUCLEUS_VERSION},
                  {"endpoint", endpoint ? endpoint->url : endpoint.error().detail},
                  {"yaml file", configuration_file()},
                  {"local copy", (*copy)->path()}};
  return print(listing, "table", {});
}

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

core::Result<int> timer(LocalCopy& copy, const std::string& verb, const std::string& name) {
  const std::string now = std::to_string(now_ms());
  if (verb == "list")
    return listed(copy.ask("select name, (gathered_ms + case when started_ms > 0 then ? - "
                           "started_ms else 0 end) / 1000.0 from timer order by name",
                           {now}),
                  {"name", "seconds"}, "table");
  core::Result<std::vector<LocalCopy::Row>> done = std::vector<LocalCopy::Row>{};
  if (verb == "start")
    done = copy.ask("insert or replace into timer values(?, ?, 0) returning name", {name, now});
  else if (verb == "stop")
    done = copy.ask(
        "update timer set gathered_ms = gathered_ms + ? - started_ms, started_ms = 0 "
        "where name = ? and started_ms > 0 returning gathered_ms / 1000.0",
        {now, name});
  else if (verb == "resume")
    done = copy.ask(
        "update timer set started_ms = ? where name = ? and started_ms = 0 "
        "returning name",
        {now, name});
  else if (verb == "reset")
    done = copy.ask("delete from timer where name = ? returning name", {name});
  else
    return core::refuse(ErrorCode::invalid_argument, "say start, stop, resume, reset or list");
  if (!done) return std::unexpected(done.error());
  if (done->empty())
    return core::refuse(ErrorCode::wrong_state, "no such stopwatch is there to " + verb);
  if (verb == "stop") std::cout << name << " " << done->front().front() << " s\n";
  return 0;
}

core::Result<int> reset(Session& session) {
  if (!is_confirmed("Erase all settings, variables and the local copy?")) return 1;
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  for (const char* table :
       {"setting", "variable", "ssh_key", "inventory", "timer", "kept", "cluster", "node", "image"})
    if (auto gone = (*copy)->ask(std::string("delete from ") + table); !gone)
      return std::unexpected(gone.error());
  session.is_over = true;
  return 0;
}

void add_kept(CLI::App& app, Chosen& chosen) {
  auto* command = app.add_subcommand("default", "values that are taken where none is said");
  auto words = std::make_shared<std::vector<std::string>>();
  auto cloud = std::make_shared<std::string>(general);
  command->add_option("WORDS", *words, "list, delete KEY, KEY or KEY=VALUE");
  command->add_option("--cloud", *cloud, "of this endpoint alone");
  auto format = add_format_option(*command);
  command->callback([&chosen, words, cloud, format] {
    chosen.local = [=](Session& session) -> core::Result<int> {
      const auto copy = session.copy();
      if (!copy) return std::unexpected(copy.error());
      return defaults(**copy, *words, *cloud, *format);
    };
  });
  auto* var = app.add_subcommand("var", "variables, which a line names as $NAME");
  auto said = std::make_shared<std::vector<std::string>>();
  var->add_option("WORDS", *said, "list, delete NAME, NAME or NAME=VALUE");
  var->callback([&chosen, said] {
    chosen.local = [said](Session& session) -> core::Result<int> {
      const auto copy = session.copy();
      if (!copy) return std::unexpected(copy.error());
      return variables(**copy, *said);
    };
  });
  auto* watch = app.add_subcommand("timer", "stopwatches");
  auto verb = std::make_shared<std::string>("list");
  auto name = std::make_shared<std::string>("timer");
  watch->add_option("VERB", *verb, "start, stop, resume, reset or list");
  watch->add_option("NAME", *name, "which of them");
  watch->callback([&chosen, verb, name] {
    chosen.local = [=](Session& session) -> core::Result<int> {
      const auto copy = session.copy();
      if (!copy) return std::unexpected(copy.error());
      return timer(**copy, *verb, *name);
    };
  });
}

void add_switches(CLI::App& app, Chosen& chosen) {
  for (const auto& [key, what] : {std::pair{"debug", "show each request"},
                                  {"verbose", "say more"},
                                  {"color", "colours at a terminal"},
                                  {"refresh", "ask the server before each list"}}) {
    auto* command = app.add_subcommand(key, what);
    auto value = std::make_shared<std::string>();
    command->add_option("VALUE", *value, "on, off or list");
    command->callback([&chosen, key, value] {
      chosen.local = [key, value](Session& session) { return switched(session, key, *value); };
    });
  }
}

}  // namespace

void add_settings(CLI::App& app, Chosen& chosen) {
  add_kept(app, chosen);
  add_switches(app, chosen);
  auto* command = app.add_subcommand("list", "the local copy of clusters, nodes and images");
  auto what = std::make_shared<std::string>("cluster");
  auto is_refreshed = std::make_shared<bool>(false);
  command->add_option("WHAT", *what, "default, cluster, node, vm or image");
  command->add_flag("--refresh", *is_refreshed, "ask the server first");
  auto format = add_format_option(*command);
  command->callback([&chosen, what, format, is_refreshed] {
    chosen.local = [=](Session& session) { return list(session, *what, *format, *is_refreshed); };
  });
  const auto simple = [&](const char* name, const char* what_it_is, auto run) {
    app.add_subcommand(name, what_it_is)->callback([&chosen, run] {
      chosen.local = [run](Session& session) { return run(session); };
    });
  };
  simple("check", "is the endpoint there, and the credential accepted?", check);
  simple("info", "the settings in short", info);
  simple("context", "the variables and switches of this shell",
         [](Session& session) { return list(session, "default", "table", false); });
  simple("reset", "erase what is kept, and quit", reset);
  simple("version", "of this program", [](Session&) {
    std::cout << "cm " NUCLEUS_VERSION << "\n";
    return core::Result<int>(0);
  });
}

void add_elsewhere(CLI::App& app, Chosen& chosen) {
  for (const std::string name :
       {"akey", "cloud", "cluster", "deploy", "flavor", "group", "hadoop", "hpc", "launcher",
        "network", "nova", "secgroup", "stack", "submit", "vc", "vm", "workflow"}) {
    auto* command = app.add_subcommand(name, "of other clouds: not here");
    command->prefix_command();
    command->callback([&chosen, name] {
      chosen.local = [name](Session&) -> core::Result<int> {
        return core::refuse(ErrorCode::wrong_state,
                            name + " is for other clouds than Comet, which are not here yet");
      };
    });
  }
}

}  // namespace nucleus::client
