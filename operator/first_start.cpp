#include "operator/first_start.hpp"

#include <array>

#include "core/bus/curve.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "operator/health.hpp"
#include "operator/rights.hpp"

namespace nucleus::operator_ {

namespace {

const msg::PersonId admin_id{"admin"};
const msg::PersonId operator_id{"operator"};

struct Account {
  msg::PersonId person = {};
  msg::Role role = {};
  const char* token_name = nullptr;  // in DIR/credentials.yaml
};

const std::array accounts = {
    Account{admin_id, msg::Role::cluster_admin, "admin_token"},
    Account{operator_id, msg::Role::operator_, "operator_token"},
};

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// An existing person is left as it is.
core::Result<void> create_person(const Account& account, Caller& caller) {
  if (caller.call(msg::GetPerson{.person_id = account.person})) return {};
  const msg::DefinePerson definition{
      .person = {.person_id = account.person, .role = account.role, .projects = {first_project}}};
  if (auto defined = caller.call(definition); !defined) return std::unexpected(defined.error());
  return {};
}

/// The given token if it is valid, otherwise a new one of this person.
core::Result<std::string> valid_token(const std::string& token, const msg::PersonId& person,
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

core::Result<void> write_environment(const StateDirectory& state, const Endpoints& endpoints,
                                     const TextMap& tokens, const msg::ApiKey& key) {
  std::string text = "# Environment for clients of this deployment; source it in a shell.\n";
  const auto set = [&](const std::string& name, const std::string& value) {
    text += "export " + name + "=" + shell_quoted(value) + "\n";
  };
  set("NUCLEUS_STATE", state.root());
  set("NUCLEUS_URL", endpoints.url);
  if (!endpoints.ca_file.empty()) set("NUCLEUS_CA_FILE", endpoints.ca_file);
  set("NUCLEUS_TOKEN", text_of(tokens, "admin_token"));
  set("NUCLEUS_OPERATOR_TOKEN", text_of(tokens, "operator_token"));
  set("NUCLEUS_API_KEY_NAME", key.key_name);
  set("NUCLEUS_API_KEY_SECRET", key.secret);
  set("NUCLEUS_EVENTS", endpoints.events_url);
  set("NUCLEUS_EVENTS_SERVER_KEY", endpoints.curve.server_public);
  set("NUCLEUS_EVENTS_PUBLIC_KEY", endpoints.curve.admin_public);
  set("NUCLEUS_EVENTS_SECRET_KEY", endpoints.curve.admin_secret);
  for (const auto& [name, value] : endpoints.others) set(name, value);
  return write_file(state.file("env"), text);
}

}  // namespace

Endpoints endpoints(const StateDirectory& state, const Deployment& deployment) {
  Endpoints endpoints{.url = gateway_url(deployment.options),
                      .ca_file = deployment.options.tls.ca,
                      .events_url = bus_url(deployment, "events"),
                      .curve = deployment.curve};
  if (has_own_host(deployment.options))
    // For virsh, ip -n and ovs-vsctl.
    endpoints.others = {{"LIBVIRT_DEFAULT_URI", libvirt_uri(state)},
                        {"NUCLEUS_NETNS", own_host(state, deployment).network_namespace},
                        {"OVS_RUNDIR", state.file("ovs")}};
  return endpoints;
}

core::Result<void> create_first_accounts(const StateDirectory& state, const Endpoints& endpoints,
                                         Caller& caller) {
  if (auto defined = caller.call(msg::DefineProject{.project_id = first_project}); !defined)
    return std::unexpected(defined.error());
  const std::string path = state.file("credentials.yaml");
  // An unreadable file is replaced, and the tokens in it with new ones.
  TextMap tokens = read_text_map(path).value_or(TextMap{});
  for (const auto& account : accounts) {
    if (auto created = create_person(account, caller); !created) return created;
    auto token = valid_token(text_of(tokens, account.token_name), account.person, caller);
    if (!token) return std::unexpected(token.error());
    tokens[account.token_name] = *token;
  }
  const auto key = caller.call(msg::IssueKey{.person_id = admin_id});
  if (!key) return std::unexpected(key.error());
  if (auto kept = write_text_map(path, tokens); !kept) return kept;
  return write_environment(state, endpoints, tokens, *key);
}

core::Result<void> write_subscriber_rights(const StateDirectory& state,
                                           const Deployment& deployment) {
  const auto& key = deployment.curve.admin_public;
  return write_rights(state.file("rights/" + core::rights_file_name(key)), key,
                      {.project = first_project.value});
}

}  // namespace nucleus::operator_
