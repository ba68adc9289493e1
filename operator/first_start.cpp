#include "operator/first_start.hpp"

#include <yaml-cpp/yaml.h>

#include "core/bus/curve.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "operator/health.hpp"

namespace nucleus::op {

namespace {

const msg::ProjectId demo{"demo"};

struct Credentials {
  std::string admin_token = {};
  std::string operator_token = {};
};

Credentials read_credentials(const std::string& path) {
  try {
    const auto text = read_file(path);
    const YAML::Node file = YAML::Load(text.value_or(""));
    return {.admin_token = file["admin_token"].as<std::string>(""),
            .operator_token = file["operator_token"].as<std::string>("")};
  } catch (const YAML::Exception&) {
    return {};  // new tokens are issued
  }
}

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// The token itself where it still opens the door; else a new one of this person.
core::Result<std::string> sound_token(const std::string& token, const msg::PersonId& person,
                                      Caller& caller) {
  if (!token.empty()) {
    const auto checked = caller.call(msg::CheckToken{.token = token});
    if (checked) return token;
    if (checked.error().code != core::ErrorCode::unauthenticated)
      return std::unexpected(checked.error());
  }
  auto issued = caller.call(msg::IssueToken{.person_id = person});
  if (!issued) return std::unexpected(issued.error());
  return issued->token;
}

core::Result<void> write_environment(const StateDirectory& state, const EntryPoints& entry,
                                     const Credentials& credentials, const msg::ApiKey& key) {
  std::string text = "# For a shell to source: how to reach this deployment, and as whom.\n";
  const auto say = [&](const char* name, const std::string& value) {
    text += std::string("export ") + name + "=" + shell_quoted(value) + "\n";
  };
  say("NUCLEUS_STATE", state.root());
  say("NUCLEUS_URL", entry.url);
  if (!entry.ca_file.empty()) say("NUCLEUS_CA_FILE", entry.ca_file);
  say("NUCLEUS_TOKEN", credentials.admin_token);
  say("NUCLEUS_OPERATOR_TOKEN", credentials.operator_token);
  say("NUCLEUS_API_KEY_NAME", key.key_name);
  say("NUCLEUS_API_KEY_SECRET", key.secret);
  say("NUCLEUS_EVENTS", entry.events_url);
  say("NUCLEUS_EVENTS_SERVER_KEY", entry.curve.server_public);
  say("NUCLEUS_EVENTS_PUBLIC_KEY", entry.curve.admin_public);
  say("NUCLEUS_EVENTS_SECRET_KEY", entry.curve.admin_secret);
  for (const auto& [name, value] : entry.others) say(name.c_str(), value);
  return write_file(state.file("env"), text);
}

}  // namespace

EntryPoints entry_points(const StateDirectory& state, const Deployment& deployment) {
  EntryPoints entry{
      .url = gateway_url(deployment.options),
      .ca_file = deployment.options.tls.ca,
      .events_url = "tcp://127.0.0.1:" + std::to_string(deployment.ports.at("events")),
      .curve = deployment.curve};
  if (!deployment.options.is_simulated)
    // For virsh, ip -n and ovs-vsctl: where its domains, taps and switch are.
    entry.others = {{"LIBVIRT_DEFAULT_URI", libvirt_uri(state)},
                    {"NUCLEUS_NETNS", network_namespace(deployment)},
                    {"OVS_RUNDIR", state.file("ovs")}};
  return entry;
}

core::Result<void> prepare_people(const StateDirectory& state, const EntryPoints& entry,
                                  Caller& caller) {
  const msg::PersonId admin{"admin"};
  const msg::PersonId op{"operator"};
  if (auto made = caller.call(msg::DefineProject{.project_id = demo}); !made)
    return std::unexpected(made.error());
  for (const auto& [person, role] :
       {std::pair{admin, msg::Role::cluster_admin}, std::pair{op, msg::Role::operator_}}) {
    if (caller.call(msg::GetPerson{.person_id = person})) continue;  // as it was changed since
    const msg::DefinePerson definition{
        .person = {.person_id = person, .role = role, .projects = {demo}}};
    if (auto made = caller.call(definition); !made) return std::unexpected(made.error());
  }
  const auto key = caller.call(msg::IssueKey{.person_id = admin});
  if (!key) return std::unexpected(key.error());
  const std::string path = state.file("credentials.yaml");
  Credentials credentials = read_credentials(path);
  for (auto& [token, person] :
       {std::pair{&credentials.admin_token, admin}, std::pair{&credentials.operator_token, op}}) {
    auto sound = sound_token(*token, person, caller);
    if (!sound) return std::unexpected(sound.error());
    *token = *sound;
  }
  if (auto kept = write_file(path, "admin_token: " + credentials.admin_token +
                                       "\noperator_token: " + credentials.operator_token + "\n");
      !kept)
    return kept;
  return write_environment(state, entry, credentials, *key);
}

core::Result<void> write_rights(const StateDirectory& state, const Deployment& deployment) {
  YAML::Emitter text;
  text << YAML::BeginMap;
  text << YAML::Key << "public_key" << YAML::Value << YAML::DoubleQuoted
       << deployment.curve.admin_public;
  text << YAML::Key << "project" << YAML::Value << YAML::DoubleQuoted << demo.value;
  text << YAML::EndMap;
  const std::string name = core::rights_file_name(deployment.curve.admin_public);
  return write_file(state.file("rights/" + name), std::string(text.c_str()) + "\n");
}

}  // namespace nucleus::op
