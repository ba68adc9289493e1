// The registry's handlers for projects and people.
#include <algorithm>

#include "core/list/page_builder.hpp"
#include "services/registry/credentials.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/missing_signers.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

bool is_member(const msg::Person& person, const msg::ProjectId& project) {
  return std::ranges::find(person.projects, project) != person.projects.end();
}

msg::Person merged(const msg::DefinePerson& request, const msg::Person& before) {
  msg::Person person = request.person;
  for (const auto& field : request.kept) {
    if (field == "email") person.email = before.email;
    if (field == "first_name") person.first_name = before.first_name;
    if (field == "last_name") person.last_name = before.last_name;
    if (field == "role") person.role = before.role;
    if (field == "projects") person.projects = before.projects;
  }
  return person;
}

}  // namespace

std::unexpected<core::Error> no_such_project(const msg::ProjectId& id, const char* field) {
  return core::refuse(core::ErrorCode::not_found, "no such project: " + msg::shown(id.value),
                      field);
}

std::unexpected<core::Error> no_such_person(const msg::PersonId& id) {
  return core::refuse(core::ErrorCode::not_found, "no such person: " + msg::shown(id.value),
                      "person_id");
}

/// There must always be an operator: only an operator can appoint another by REST. `field` names
/// what of the request would take the rights of `before`.
core::Result<void> Service::check_operator_remains(const msg::Person& before,
                                                   const char* field) const {
  if (before.role != msg::Role::operator_) return {};
  bool is_any_other = false;
  store_.for_each<StoredPerson>(keys::people(), [&](const StoredPerson& stored) {
    is_any_other = is_any_other || (stored.person.role == msg::Role::operator_ &&
                                    stored.person.person_id != before.person_id);
  });
  if (is_any_other) return {};
  return core::refuse(core::ErrorCode::wrong_state,
                      msg::shown(before.person_id.value) + " is the last operator", field);
}

bool use_project(core::Transaction& tx, const msg::ProjectId& id) {
  const auto* found = tx.read(keys::project(id));
  if (found && found->is_unused) {
    StoredProject used = *found;
    used.is_unused = false;
    tx.write(keys::project(id), std::move(used));
  }
  return found != nullptr;
}

core::Result<msg::Done> Service::define_project(const msg::DefineProject& request,
                                                core::Context& context) {
  if (auto broken = check_project("project_id", request.project_id.value))
    return std::unexpected(*broken);
  auto tx = store_.begin(context);
  if (tx.read(keys::removed_project(request.project_id)))
    return core::refuse(core::ErrorCode::wrong_state,
                        "a removed project had the name " + msg::shown(request.project_id.value),
                        "project_id");
  const auto* known = tx.read(keys::project(request.project_id));
  const bool record_consoles = known && known->record_consoles;
  if (!known) {
    tx.write(keys::project(request.project_id),
             StoredProject{.project_id = request.project_id,
                           .defined_unix_s = context.now_unix_s(),
                           .is_unused = true,
                           .is_announced = true});
    const auto missing = missing_signers(acknowledgement_text(), {}, 0);
    if (!missing.empty())
      tx.emit(msg::AcknowledgementChanged{.project_id = request.project_id,
                                          .is_acknowledged = missing.empty(),
                                          .reason = reason_of(missing, request.project_id)});
  }
  // Also if it exists: a subscriber that has not heard of it yet can be told.
  tx.emit(msg::ProjectDefined{request.project_id, record_consoles});
  return tx.commit(msg::Done{});
}

core::Result<msg::Project> Service::change_project(const msg::ChangeProject& request,
                                                   core::Context& context) {
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::project(request.project_id));
  if (!found) return no_such_project(request.project_id, "project_id");
  StoredProject changed = *found;
  changed.record_consoles = request.record_consoles.value_or(changed.record_consoles);
  tx.write(keys::project(request.project_id), changed);
  tx.emit(msg::ProjectDefined{changed.project_id, changed.record_consoles});
  return tx.commit(msg::Project{changed.project_id, changed.record_consoles});
}

void Service::announce_projects(const core::Context& context) {
  std::vector<StoredProject> unannounced;
  store_.for_each<StoredProject>(keys::projects(), [&](const StoredProject& stored) {
    if (!stored.is_announced) unannounced.push_back(stored);
  });
  if (unannounced.empty()) return;
  auto tx = store_.begin(context);
  for (auto& project : unannounced) {
    project.is_announced = true;
    tx.emit(msg::ProjectDefined{project.project_id, project.record_consoles});
    const auto key = keys::project(project.project_id);
    tx.write(key, std::move(project));
  }
  (void)tx.commit();  // again after the next load, if it fails
}

core::Result<msg::Projects> Service::list_projects(const msg::ListProjects& request,
                                                   core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  if (const auto& id = request.project_id; !id.empty()) {
    const auto* found = msg::sees(request.viewer, id) ? store_.read(keys::project(id)) : nullptr;
    if (!found) return no_such_project(id, "project_id");
    return msg::Projects{.projects = {{id, found->record_consoles}}};
  }
  core::PageBuilder<msg::Project> page{request.page};
  store_.for_each<StoredProject>(keys::projects(), [&](const StoredProject& stored) {
    const auto& id = stored.project_id;
    if (page.next().empty() && id.value > request.page.after && msg::sees(request.viewer, id))
      page.add({id, stored.record_consoles}, id.value);
  });
  return msg::Projects{.projects = page.take(), .next = page.next()};
}

core::Result<msg::Done> Service::remove_project(const msg::RemoveProject& request,
                                                core::Context& context) {
  const auto& project = request.project_id;
  auto tx = store_.begin(context);
  const auto* removed = tx.read(keys::project(project));
  if (!removed) return no_such_project(project, "project_id");
  msg::ClusterId in_use;
  store_.for_each<StoredCluster>(keys::clusters(), [&](const StoredCluster& stored) {
    if (stored.cluster.project_id == project) in_use = stored.cluster.cluster_id;
  });
  if (!in_use.empty())
    return core::refuse(core::ErrorCode::wrong_state,
                        "the project still has cluster " + msg::shown(in_use.value), "project_id");
  std::vector<StoredPerson> members;
  store_.for_each<StoredPerson>(keys::people(), [&](const StoredPerson& stored) {
    if (is_member(stored.person, project)) members.push_back(stored);
  });
  for (auto& member : members) {
    std::erase(member.person.projects, project);
    tx.emit(msg::PersonDefined{member.person});
    tx.emit(msg::CredentialsChanged{member.person.person_id});
    const auto key = keys::person(member.person.person_id);
    tx.write(key, std::move(member));
  }
  if (!removed->is_unused) tx.write(keys::removed_project(project), StoredProject{*removed});
  tx.remove(keys::project(project));
  tx.emit(msg::ProjectRemoved{project});
  return tx.commit(msg::Done{});
}

core::Result<msg::Done> Service::define_person(const msg::DefinePerson& request,
                                               core::Context& context) {
  auto tx = store_.begin(context);
  const auto* before = tx.read(keys::person(request.person.person_id));
  const auto person = before ? merged(request, before->person) : request.person;
  if (auto broken = check_person(person)) return std::unexpected(*broken);
  for (const auto& project : person.projects)
    if (!use_project(tx, project)) return no_such_project(project, "projects");
  StoredPerson stored;
  if (before) {
    if (auto remains = check_operator_remains(before->person, "role");
        person.role != msg::Role::operator_ && !remains)
      return std::unexpected(remains.error());
    stored = *before;
    if (before->person.role != person.role || before->person.projects != person.projects)
      tx.emit(msg::CredentialsChanged{person.person_id});
  } else {
    stored.uid = context.new_id();
  }
  stored.person = person;
  tx.emit(msg::PersonDefined{person});
  tx.write(keys::person(person.person_id), std::move(stored));
  return tx.commit(msg::Done{});
}

core::Result<msg::Person> Service::change_profile(const msg::ChangeProfile& request,
                                                  core::Context& context) {
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::person(request.person_id));
  if (!found) return no_such_person(request.person_id);
  StoredPerson stored = *found;
  if (request.first_name) stored.person.first_name = *request.first_name;
  if (request.last_name) stored.person.last_name = *request.last_name;
  if (auto broken = check_person(stored.person)) return std::unexpected(*broken);
  const msg::Person reply = stored.person;
  tx.emit(msg::PersonDefined{reply});
  tx.write(keys::person(request.person_id), std::move(stored));
  return tx.commit(reply);
}

core::Result<msg::Person> Service::get_person(const msg::GetPerson& request, core::Context&) {
  const auto* stored = store_.read(keys::person(request.person_id));
  if (!stored) return no_such_person(request.person_id);
  return stored->person;
}

core::Result<msg::People> Service::list_people(const msg::ListPeople& request, core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  const auto& viewer = request.viewer;
  core::PageBuilder<msg::Person> page{request.page};
  store_.for_each<StoredPerson>(keys::people(), [&](const StoredPerson& stored) {
    msg::Person person = stored.person;
    if (!page.next().empty() || person.person_id.value <= request.page.after) return;
    std::erase_if(person.projects,
                  [&](const msg::ProjectId& project) { return !msg::sees(viewer, project); });
    if (!viewer.is_operator && person.projects.empty()) return;
    const std::string key = person.person_id.value;
    page.add(std::move(person), key);
  });
  return msg::People{.people = page.take(), .next = page.next()};
}

core::Result<msg::Done> Service::remove_person(const msg::RemovePerson& request,
                                               core::Context& context) {
  auto tx = store_.begin(context);
  const auto* stored = tx.read(keys::person(request.person_id));
  if (!stored) return no_such_person(request.person_id);
  if (auto remains = check_operator_remains(stored->person, "person_id"); !remains)
    return std::unexpected(remains.error());
  for (const auto& hash : stored->token_hashes) tx.remove(keys::token(hash));
  if (!stored->key_name.empty()) tx.remove(keys::api_key(stored->key_name));
  std::vector<std::string> bound;
  store_.for_each<StoredIdempotencyKey>(
      keys::idempotency_keys(request.person_id),
      [&](const StoredIdempotencyKey& key) { bound.push_back(key.idempotency_key); });
  for (const auto& key : bound) tx.remove(keys::idempotency_key(request.person_id, key));
  tx.remove(keys::person(request.person_id));
  tx.emit(msg::PersonRemoved{request.person_id});
  tx.emit(msg::CredentialsChanged{request.person_id});
  return tx.commit(msg::Done{});
}

}  // namespace nucleus::registry
