// nucleus person create: lets a cluster admin in.
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
                 .role = arguments.is_operator ? msg::Role::operator_ : msg::Role::cluster_admin,
                 .projects = {{arguments.project}}}};
  if (auto made = caller.call(definition); !made) return std::unexpected(made.error());
  const auto token = caller.call(msg::IssueToken{.person_id = person});
  if (!token) return std::unexpected(token.error());
  std::cout << token->token << "\n";
  return 0;
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
  command->add_flag("--operator", arguments->is_operator, "an operator sees every project");
  command->callback([&chosen, arguments] { chosen = [arguments] { return create(*arguments); }; });
}

}  // namespace nucleus::op
