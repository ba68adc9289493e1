// inventory: a list of hosts that a person keeps.
#include <algorithm>
#include <array>
#include <iostream>

#include "client/commands/commands.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr std::array<const char*, 7> attributes = {"cluster", "label",   "service", "project",
                                                   "owners",  "comment", "ip"};

bool is_attribute(const std::string& name) {
  return std::ranges::find(attributes, name) != attributes.end();
}

using Names = std::vector<std::string>;

core::Result<LocalCopy*> copy_and_names(Session& session, const Words& words, Names& names) {
  auto listed = names_in(words["NAMES"]);
  if (!listed) return std::unexpected(listed.error());
  names = std::move(*listed);
  return session.copy();
}

/// Runs a statement for each name in one transaction. `not_found` names one that changes nothing.
core::Result<int> for_each_name(
    LocalCopy& copy, const Names& names,
    const std::function<core::Result<std::vector<LocalCopy::Row>>(const std::string& name)>& run) {
  if (auto begun = copy.query("begin immediate"); !begun) return std::unexpected(begun.error());
  for (const auto& name : names) {
    const auto done = run(name);
    if (done && !done->empty()) continue;
    (void)copy.query("rollback");
    if (!done) return std::unexpected(done.error());
    return core::refuse(ErrorCode::not_found, "no such host: " + msg::shown(name));
  }
  if (auto ended = copy.query("commit"); !ended) return std::unexpected(ended.error());
  return 0;
}

}  // namespace

core::Result<int> inventory_add(Session& session, const Words& words) {
  Names names;
  const auto copy = copy_and_names(session, words, names);
  if (!copy) return std::unexpected(copy.error());
  return for_each_name(**copy, names, [&](const std::string& name) {
    LocalCopy::Row row = {name};
    for (const char* attribute : attributes) row.push_back(words[std::string("--") + attribute]);
    return (*copy)->query(
        "insert or replace into inventory(name, cluster, label, service, project, owners, comment,"
        " ip) values(?, ?, ?, ?, ?, ?, ?, ?) returning name",
        row);
  });
}

core::Result<int> inventory_set(Session& session, const Words& words) {
  auto given = words.all("WORDS");
  if (given.size() < 4 || given[0] != "for" || given[2] != "to" || !is_attribute(given[1]))
    return core::refuse(ErrorCode::invalid_argument,
                        "use set NAMES for ATTRIBUTE to VALUE; attributes are cluster, label, "
                        "service, project, owners, comment, ip");
  std::string value = given[3];
  for (std::size_t i = 4; i < given.size(); ++i) value += " " + given[i];
  Names names;
  const auto copy = copy_and_names(session, words, names);
  if (!copy) return std::unexpected(copy.error());
  // Safe to concatenate: the attribute is one of the seven names.
  const std::string statement =
      "update inventory set " + given[1] + " = ? where name = ? returning name";
  return for_each_name(**copy, names, [&](const std::string& name) {
    return (*copy)->query(statement, {value, name});
  });
}

core::Result<int> inventory_delete(Session& session, const Words& words) {
  Names names;
  const auto copy = copy_and_names(session, words, names);
  if (!copy) return std::unexpected(copy.error());
  return for_each_name(**copy, names, [&](const std::string& name) {
    return (*copy)->query("delete from inventory where name = ? returning name", {name});
  });
}

core::Result<int> inventory_clone(Session& session, const Words& words) {
  const auto given = words.all("WORDS");
  if (given.size() != 2 || given[0] != "from")
    return core::refuse(ErrorCode::invalid_argument, "use clone NAMES from NAME");
  Names names;
  const auto copy = copy_and_names(session, words, names);
  if (!copy) return std::unexpected(copy.error());
  return for_each_name(**copy, names, [&](const std::string& name) {
    return (*copy)->query(
        "insert or replace into inventory(name, cluster, label, service, project, owners, comment,"
        " ip) select ?, cluster, label, service, project, owners, comment, ip from inventory"
        " where name = ? returning name",
        {name, given[1]});
  });
}

core::Result<int> inventory_list(Session& session, const Words& words) {
  std::string columns = "name";
  for (const char* attribute : attributes) columns += std::string(",") + attribute;
  if (words.has("--columns")) columns = words["--columns"];
  std::vector<std::string> shown;
  for (std::size_t begin = 0; begin <= columns.size();) {
    const auto end = std::min(columns.find(',', begin), columns.size());
    shown.push_back(columns.substr(begin, end - begin));
    begin = end + 1;
    if (shown.back() != "name" && !is_attribute(shown.back()))
      return core::refuse(ErrorCode::invalid_argument,
                          "no such column: " + msg::shown(shown.back()));
  }
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  // The name is selected again at the end, to filter by it.
  auto rows = (*copy)->query("select " + columns + ", name from inventory order by name");
  if (!rows) return std::unexpected(rows.error());
  if (words.has("NAMES")) {
    const auto names = names_in(words["NAMES"]);
    if (!names) return std::unexpected(names.error());
    std::erase_if(*rows, [&](const LocalCopy::Row& row) {
      return std::ranges::find(*names, row.back()) == names->end();
    });
  }
  for (auto& row : *rows) row.pop_back();
  return print_rows(rows, shown, words["--format"]);
}

core::Result<int> inventory_info(Session& session, const Words&) {
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  return print_rows(
      (*copy)->query("select case cluster when '' then '-' else cluster end, count(*) "
                     "from inventory group by cluster order by cluster"),
      {"cluster", "hosts"}, "table");
}

}  // namespace nucleus::client
