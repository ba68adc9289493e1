// nucleus person: lets people in, sets their passwords and roles, and takes them out.
#include <fmt/format.h>

#include <iostream>

#include "messages/registry.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::op {

namespace {

struct PersonArguments {
  std::shared_ptr<std::string> state = {};
  std::string name = {};
  std::string project = {};
  std::string role = "cluster_admin";
  bool is_operator = false;
};

/// The token is shown once and stored nowhere but in its owner's hands.
core::Result<int> create(const PersonArguments& arguments) {
  const auto opened = open_caller(*arguments.state);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  const msg::PersonId person{arguments.name};
  if (caller.call(msg::GetPerson{.person_id = person}))
    return core::refuse(core::ErrorCode::wrong_state, arguments.name + " is there already", "name");
  if (auto made = caller.call(msg::DefineProject{.project_id = {arguments.project}}); !made)
    return std::unexpected(made.error());
  const msg::DefinePerson definition{
      .person = {.person_id = person,
                 .role = arguments.is_operator ? msg::Role::operator_
                                               : msg::enum_of<msg::Role>(arguments.role),
                 .projects = {{arguments.project}}}};
  if (auto made = caller.call(definition); !made) return std::unexpected(made.error());
  const auto token = caller.call(msg::IssueToken{.person_id = person});
  if (!token) return std::unexpected(token.error());
  std::cout << token->token << "\n";
  return 0;
}

/// The password is one line of the input, so that no list of processes shows it.
core::Result<int> set_password(const std::string& state, const std::string& name) {
  const auto opened = open_caller(state);
  if (!opened) return std::unexpected(opened.error());
  std::string password;
  std::getline(std::cin, password);
  const auto set =
      (*opened)->call(msg::SetPassword{.person_id = {name}, .password = std::move(password)});
  if (!set) return std::unexpected(set.error());
  return 0;
}

core::Result<int> remove_person(const std::string& state, const std::string& name) {
  const auto opened = open_caller(state);
  if (!opened) return std::unexpected(opened.error());
  if (auto removed = (*opened)->call(msg::RemovePerson{.person_id = {name}}); !removed)
    return std::unexpected(removed.error());
  return 0;
}

core::Result<int> list_people(const std::string& state) {
  const auto opened = open_caller(state);
  if (!opened) return std::unexpected(opened.error());
  msg::ListPeople request{.viewer = {.is_operator = true}};
  do {
    const auto page = (*opened)->call(request);
    if (!page) return std::unexpected(page.error());
    for (const auto& person : page->people) {
      std::string projects;
      for (const auto& project : person.projects)
        projects += (projects.empty() ? "" : ",") + project.value;
      fmt::print("{:<24} {:<14} {}\n", person.person_id.value, msg::name_of(person.role), projects);
    }
    request.page.after = page->next;
  } while (!request.page.after.empty());
  return 0;
}

/// A command about one person.
void add_named(CLI::App& group, Action& chosen, const char* name, const char* what,
               core::Result<int> (*run)(const std::string&, const std::string&)) {
  auto* command = group.add_subcommand(name, what);
  auto state = add_state_option(*command);
  auto person = std::make_shared<std::string>();
  command->add_option("NAME", *person, "their username")->required();
  command->callback(
      [&chosen, state, person, run] { chosen = [=] { return run(*state, *person); }; });
}

}  // namespace

void add_person(CLI::App& app, Action& chosen) {
  auto* group = app.add_subcommand("person", "who may use the clusters");
  group->require_subcommand(1);
  auto* command =
      group->add_subcommand("create", "make a person of a project, and print their token");
  auto arguments = std::make_shared<PersonArguments>();
  arguments->state = add_state_option(*command);
  command->add_option("NAME", arguments->name, "their username")->required();
  command->add_option("--project", arguments->project, "made where it is not there")->required();
  command->add_option("--role", arguments->role, "what they may do")
      ->check(CLI::IsMember({"pi", "cluster_admin", "trainer", "read_only"}))
      ->capture_default_str();
  command->add_flag("--operator", arguments->is_operator, "an operator sees every project");
  command->callback([&chosen, arguments] { chosen = [arguments] { return create(*arguments); }; });
  add_named(*group, chosen, "password", "set a password, read from the input; ends their tokens",
            set_password);
  add_named(*group, chosen, "remove", "remove a person and all their credentials", remove_person);
  auto* listing = group->add_subcommand("list", "everybody, their role and projects");
  auto state = add_state_option(*listing);
  listing->callback([&chosen, state] { chosen = [state] { return list_people(*state); }; });
}

}  // namespace nucleus::op
