// nucleus project update and list.
#include <fmt/format.h>

#include <iostream>

#include "messages/people.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::operator_ {

namespace {

struct ProjectArguments {
  std::string state = {};
  std::string name = {};
  std::string record_consoles = {};
};

void print_project(const msg::Project& project) {
  std::cout << fmt::format("{:<24} {}\n", project.project_id.value,
                           project.record_consoles ? "consoles are recorded" : "");
}

core::Result<int> update_project(const ProjectArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto changed = (*opened)->call(msg::ChangeProject{
      .project_id = {arguments.name}, .record_consoles = arguments.record_consoles == "on"});
  if (!changed) return std::unexpected(changed.error());
  print_project(*changed);
  return 0;
}

core::Result<int> list_projects(const ProjectArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  msg::ListProjects request{.viewer = {.is_operator = true}};
  do {
    const auto page = (*opened)->call(request);
    if (!page) return std::unexpected(page.error());
    for (const auto& project : page->projects) print_project(project);
    request.page.after = page->next;
  } while (!request.page.after.empty());
  return 0;
}

}  // namespace

void add_project(Commands& commands) {
  auto group = commands.group("project", "projects and their rules");
  group.add<ProjectArguments>("update", "change the rules of a project", update_project,
                              [](CommandOptions& options, ProjectArguments& arguments) {
                                options.state(arguments.state);
                                options.add("NAME", arguments.name, "project").name().required();
                                options
                                    .add("--record-consoles", arguments.record_consoles,
                                         "record what serial consoles print while someone watches")
                                    .one_of({"on", "off"})
                                    .required();
                              });
  group.add<ProjectArguments>(
      "list", "list all projects", list_projects,
      [](CommandOptions& options, ProjectArguments& arguments) { options.state(arguments.state); });
}

}  // namespace nucleus::operator_
