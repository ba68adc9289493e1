// nucleus person create, password, remove and list.
#include <fmt/format.h>

#include <iostream>

#include "messages/registry.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::operator_ {

namespace {

struct CreatePersonArguments {
  std::string state = {};
  std::string name = {};
  std::string project = {};
  std::string role = "cluster_admin";
  bool is_operator = false;
};

struct PersonArguments {
  std::string state = {};
  std::string name = {};
};

core::Result<bool> has_project(Caller& caller, const msg::ProjectId& project) {
  const auto listed = caller.call(msg::ListProjects{.viewer = {.projects = {project}}});
  if (!listed) return std::unexpected(listed.error());
  return !listed->projects.empty();
}

core::Result<std::string> define_with_token(Caller& caller, const msg::Person& person) {
  if (auto defined = caller.call(msg::DefinePerson{.person = person}); !defined)
    return std::unexpected(defined.error());
  const auto issued = caller.call(msg::IssueToken{.person_id = person.person_id});
  if (issued) return issued->token;
  (void)caller.call(msg::RemovePerson{.person_id = person.person_id});
  return std::unexpected(issued.error());
}

/// Prints the token, which is not stored anywhere. If anything is refused, a project that was
/// created for the person is removed again.
core::Result<int> create_person(const CreatePersonArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  const msg::ProjectId project{arguments.project};
  const msg::Person person{.person_id = {arguments.name},
                           .role = arguments.is_operator ? msg::Role::operator_
                                                         : msg::enum_of<msg::Role>(arguments.role),
                           .projects = {project}};
  if (caller.call(msg::GetPerson{.person_id = person.person_id}))
    return core::refuse(core::ErrorCode::wrong_state, arguments.name + " already exists", "name");
  const auto had_project = has_project(caller, project);
  if (!had_project) return std::unexpected(had_project.error());
  if (auto defined = caller.call(msg::DefineProject{.project_id = project}); !defined)
    return std::unexpected(defined.error());
  const auto token = define_with_token(caller, person);
  if (!token) {
    if (!*had_project) (void)caller.call(msg::RemoveProject{.project_id = project});
    return std::unexpected(token.error());
  }
  std::cout << *token << "\n";
  return 0;
}

/// Reads the password from standard input, since arguments are visible in the list of processes.
core::Result<int> set_password(const PersonArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  std::string password;
  std::getline(std::cin, password);
  const auto set = (*opened)->call(
      msg::SetPassword{.person_id = {arguments.name}, .password = std::move(password)});
  if (!set) return std::unexpected(set.error());
  return 0;
}

core::Result<int> remove_person(const PersonArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto removed = (*opened)->call(msg::RemovePerson{.person_id = {arguments.name}});
  if (!removed) return std::unexpected(removed.error());
  return 0;
}

core::Result<int> list_people(const PersonArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  msg::ListPeople request{.viewer = {.is_operator = true}};
  do {
    const auto page = (*opened)->call(request);
    if (!page) return std::unexpected(page.error());
    for (const auto& person : page->people) {
      std::string projects;
      for (const auto& project : person.projects)
        projects += (projects.empty() ? "" : ",") + project.value;
      std::cout << fmt::format("{:<24} {:<14} {}\n", person.person_id.value,
                               msg::name_of(person.role), projects);
    }
    request.page.after = page->next;
  } while (!request.page.after.empty());
  return 0;
}

void describe_person(CommandOptions& options, PersonArguments& arguments) {
  options.state(arguments.state);
  options.add("NAME", arguments.name, "username").name().required();
}

}  // namespace

void add_person(Commands& commands) {
  auto group = commands.group("person", "people who may use clusters");
  group.add<CreatePersonArguments>(
      "create", "create a person in a project and print a token", create_person,
      [](CommandOptions& options, CreatePersonArguments& arguments) {
        options.state(arguments.state);
        options.add("NAME", arguments.name, "username").name().required();
        options.add("--project", arguments.project, "project, created if it does not exist")
            .name()
            .required();
        options.add("--role", arguments.role, "role in the project")
            .one_of({"pi", "cluster_admin", "trainer", "read_only"})
            .show_default();
        options.flag("--operator", arguments.is_operator, "an operator sees every project");
      });
  group.add<PersonArguments>("password",
                             "set a password, read from standard input; ends all tokens",
                             set_password, describe_person);
  group.add<PersonArguments>("remove", "remove a person and all their credentials", remove_person,
                             describe_person);
  group.add<PersonArguments>(
      "list", "list all people with role and projects", list_people,
      [](CommandOptions& options, PersonArguments& arguments) { options.state(arguments.state); });
}

}  // namespace nucleus::operator_
