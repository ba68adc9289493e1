// The registry's messages about roles and rights, projects, people, their passwords, API keys and
// tokens, and the acknowledgement of responsibility that they sign.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(Role, operator_, pi, cluster_admin, trainer, read_only)

// What a caller or a token is allowed to do, from weak to strong.
//   read     read what belongs to the caller's projects
//   power    power nodes, start and end computesets, measure overhead
//   console  open consoles
//   images   upload, attach and remove images
//   define   create, change and remove clusters and nodes
//   people   read the members of the caller's projects
//   operate  manage hosts, allocations, and every project and person
NUCLEUS_ENUM(Right, read, power, console, images, define, people, operate)

inline constexpr std::array all_rights = {Right::read,   Right::power,  Right::console,
                                          Right::images, Right::define, Right::people,
                                          Right::operate};

/// The rights of a role; a token may have fewer.
constexpr bool has_right(Role role, Right right) {
  switch (role) {
    case Role::operator_:
      return right != Right::unknown;
    case Role::pi:
      return right != Right::unknown && right <= Right::people;
    case Role::cluster_admin:
      return right != Right::unknown && right <= Right::define;
    case Role::trainer:
      return right != Right::unknown && right <= Right::console;
    case Role::read_only:
      return right == Right::read;
    case Role::unknown:
      return false;
  }
  return false;
}

/// The caller and the rights of the credential; the reply to every check of a credential.
struct Principal {
  PersonId person_id = {};
  Role role = Role::unknown;
  std::vector<ProjectId> projects = {};  // 0..256
  std::vector<Right> rights = {};        // those of the role, or fewer if the token has fewer
  std::string token_id = {};        // of the token that was checked; empty = another credential
  std::int64_t expires_unix_s = 0;  // of the token; 0 = it does not expire
  std::string person_uid = {};      // never used again; a later person of the same name has another
  NUCLEUS_FIELDS(person_id, role, projects, rights, token_id, expires_unix_s, person_uid);
};

inline bool may(const Principal& who, Right right) {
  return std::ranges::find(who.rights, right) != who.rights.end();
}

/// True if the caller may reach every project: an operator, unless the token lacks the right.
inline bool is_operator(const Principal& who) {
  return who.role == Role::operator_ && may(who, Right::operate);
}

inline Viewer viewer_of(const Principal& who) {
  return {.projects = who.projects, .is_operator = is_operator(who)};
}

/// True if the caller may read what belongs to this project; for others it does not exist.
inline bool sees(const Principal& who, const ProjectId& project) {
  return is_operator(who) || std::ranges::find(who.projects, project) != who.projects.end();
}

/// True if the credential has all rights of its person's role.
inline bool has_all_rights(const Principal& who) {
  return std::ranges::all_of(
      all_rights, [&](Right right) { return may(who, right) == has_right(who.role, right); });
}

/// Creates a project; changes nothing if it exists.
struct DefineProject {
  static constexpr std::string_view topic = "registry.define-project";
  using Reply = Done;
  ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

struct Project {
  ProjectId project_id = {};
  bool record_consoles = false;  // what its nodes' serial consoles print while someone watches
  NUCLEUS_FIELDS(project_id, record_consoles);
};

/// Changes a project; a field that is not set stays.
struct ChangeProject {
  static constexpr std::string_view topic = "registry.change-project";
  using Reply = Project;
  ProjectId project_id = {};
  std::optional<bool> record_consoles = {};
  NUCLEUS_FIELDS(project_id, record_consoles);
};

struct Projects {
  std::vector<Project> projects = {};  // by name
  std::string next = {};               // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(projects, next);
};

struct ListProjects {
  static constexpr std::string_view topic = "registry.list-projects";
  using Reply = Projects;
  Viewer viewer = {};
  Page page = {};
  ProjectId project_id = {};  // if set, this project alone, or `not_found`
  NUCLEUS_FIELDS(viewer, page, project_id);
};

/// Removes a project, also from its members. `wrong_state` while it has a cluster.
struct RemoveProject {
  static constexpr std::string_view topic = "registry.remove-project";
  using Reply = Done;
  ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

struct Person {
  PersonId person_id = {};
  std::string email = {};       // an address, or empty
  std::string first_name = {};  // 0..256 bytes
  std::string last_name = {};   // 0..256 bytes
  Role role = Role::cluster_admin;
  std::vector<ProjectId> projects = {};
  NUCLEUS_FIELDS(person_id, email, first_name, last_name, role, projects);
};

/// Creates or changes a person. The projects must exist. The last operator keeps the role.
struct DefinePerson {
  static constexpr std::string_view topic = "registry.define-person";
  using Reply = Done;
  Person person = {};
  std::vector<std::string> kept = {};  // fields of which a person who exists keeps the value
  NUCLEUS_FIELDS(person, kept);
};

/// Changes a person's display name; a field that is not set stays.
struct ChangeProfile {
  static constexpr std::string_view topic = "registry.change-profile";
  using Reply = Person;
  PersonId person_id = {};
  std::optional<std::string> first_name = {};  // 0..256 bytes
  std::optional<std::string> last_name = {};   // 0..256 bytes
  NUCLEUS_FIELDS(person_id, first_name, last_name);
};

struct GetPerson {
  static constexpr std::string_view topic = "registry.get-person";
  using Reply = Person;
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

struct People {
  std::vector<Person> people = {};  // by id
  std::string next = {};            // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(people, next);
};

/// Members of the viewer's projects, each with those of their projects that the viewer sees. An
/// operator sees everybody.
struct ListPeople {
  static constexpr std::string_view topic = "registry.list-people";
  using Reply = People;
  Viewer viewer = {};
  Page page = {};
  NUCLEUS_FIELDS(viewer, page);
};

/// Removes a person, but not the last operator, with every credential. Signatures are kept.
struct RemovePerson {
  static constexpr std::string_view topic = "registry.remove-person";
  using Reply = Done;
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

/// Sets a person's password and revokes all their tokens. The argon2id hash is stored.
struct SetPassword {
  static constexpr std::string_view topic = "registry.set-password";
  using Reply = Done;
  PersonId person_id = {};
  std::string password = {};  // 8..128 bytes
  NUCLEUS_FIELDS(person_id, password);
};

/// Checks a password. `no_capacity` after too many recent failures of this person or origin.
struct CheckPassword {
  static constexpr std::string_view topic = "registry.check-password";
  using Reply = Principal;
  PersonId person_id = {};
  std::string password = {};
  std::string origin = {};  // the client's address; used for the rate limit only
  NUCLEUS_FIELDS(person_id, password, origin);
};

struct ApiKey {
  std::string key_name = {};
  std::string secret = {};  // 24 letters and digits
  bool is_strict = false;   // accepts only signatures that cover method, path and body
  NUCLEUS_FIELDS(key_name, secret, is_strict);
};

/// Returns a person's API key; the first call creates it.
struct IssueKey {
  static constexpr std::string_view topic = "registry.issue-key";
  using Reply = ApiKey;
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

/// Revokes a person's API key and creates another, unless `is_none` is set.
struct ReplaceKey {
  static constexpr std::string_view topic = "registry.replace-key";
  using Reply = ApiKey;
  PersonId person_id = {};
  bool is_strict = false;
  bool is_none = false;
  NUCLEUS_FIELDS(person_id, is_strict, is_none);
};

struct Token {
  std::string token = {};     // 40 hex digits; only its hash is stored
  std::string token_id = {};  // 16 hex digits; not secret
  std::int64_t expires_unix_s = 0;
  NUCLEUS_FIELDS(token, token_id, expires_unix_s);
};

/// True if the text has the form of a token: 40 lower-case hex digits.
constexpr bool is_token(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

/// `wrong_state` if the person has as many tokens that have not expired as one may have.
struct IssueToken {
  static constexpr std::string_view topic = "registry.issue-token";
  using Reply = Token;
  PersonId person_id = {};
  std::string label = {};           // 0..64 bytes; shown in lists
  std::vector<Right> rights = {};   // rights of the person's role; empty = all of them
  std::int64_t expires_unix_s = 0;  // 0 = does not expire
  std::string made_by = {};         // id of the token with which it is requested; empty = none
  NUCLEUS_FIELDS(person_id, label, rights, expires_unix_s, made_by);
};

struct TokenEntry {
  std::string token_id = {};
  std::string label = {};
  std::vector<Right> rights = {};  // empty = all of the role
  std::int64_t issued_unix_s = 0;
  std::int64_t expires_unix_s = 0;
  std::string made_by = {};  // id of the token with which it was requested; empty = none
  NUCLEUS_FIELDS(token_id, label, rights, issued_unix_s, expires_unix_s, made_by);
};

struct Tokens {
  std::vector<TokenEntry> tokens = {};  // by id
  std::string next = {};                // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(tokens, next);
};

struct ListTokens {
  static constexpr std::string_view topic = "registry.list-tokens";
  using Reply = Tokens;
  PersonId person_id = {};
  Page page = {};
  NUCLEUS_FIELDS(person_id, page);
};

/// Revokes one token of a person, and those that were made with it; `not_found` if the person has
/// no token of this id.
struct RevokeToken {
  static constexpr std::string_view topic = "registry.revoke-token";
  using Reply = Done;
  PersonId person_id = {};
  std::string token_id = {};
  bool is_log_out = false;  // the session ends in order: tokens made in it stay
  NUCLEUS_FIELDS(person_id, token_id, is_log_out);
};

struct CheckToken {
  static constexpr std::string_view topic = "registry.check-token";
  using Reply = Principal;
  std::string token = {};
  NUCLEUS_FIELDS(token);
};

/// Checks an API-key signature (docs/rest-v1.md, Signatures): HMAC-SHA256 of `signed_text`. A nonce
/// is accepted once, a timestamp within 1800 s of the clock. For a strict key `covers` must contain
/// (request-target), host, date and digest; the gateway has compared them with the request.
struct CheckSignature {
  static constexpr std::string_view topic = "registry.check-signature";
  using Reply = Principal;
  std::string key_name = {};
  std::string signed_text = {};       // the lines that the client signed
  std::string signature_base64 = {};  // as sent
  std::string nonce = {};             // 1..64 characters
  std::int64_t timestamp_unix_s = 0;
  std::vector<std::string> covers = {};  // names of the signed headers, lower case
  NUCLEUS_FIELDS(key_name, signed_text, signature_base64, nonce, timestamp_unix_s, covers);
};

/// Returns the current principal of a credential that was checked before; `unauthenticated` if it
/// is no longer valid. Without `token_id` it is checked that the person exists.
struct RecheckCredential {
  static constexpr std::string_view topic = "registry.recheck-credential";
  using Reply = Principal;
  PersonId person_id = {};
  std::string token_id = {};
  std::string person_uid = {};  // as it was then; empty = not compared
  NUCLEUS_FIELDS(person_id, token_id, person_uid);
};

/// Event: a person's role or projects changed, or one of their credentials was revoked. Results of
/// earlier credential checks are no longer valid.
struct CredentialsChanged {
  static constexpr std::string_view topic = "registry.credentials-changed";
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

/// Event: a person was created, or their definition changed. Only operators receive it.
struct PersonDefined {
  static constexpr std::string_view topic = "registry.person-defined";
  Person person = {};
  NUCLEUS_FIELDS(person);
};

/// Event: a person was removed, with all credentials. Only operators receive it.
struct PersonRemoved {
  static constexpr std::string_view topic = "registry.person-removed";
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

/// Event: a project was created, changed, or defined again.
struct ProjectDefined {
  static constexpr std::string_view topic = "registry.project-defined";
  ProjectId project_id = {};
  bool record_consoles = false;
  NUCLEUS_FIELDS(project_id, record_consoles);
};

/// Event: a project was removed. What belonged to it goes with it: its images are removed, and its
/// allocations belong to no project.
struct ProjectRemoved {
  static constexpr std::string_view topic = "registry.project-removed";
  ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

/// Binds a client's idempotency key to one request for a day. `invalid_argument` if the key is
/// bound to another request.
struct BindIdempotencyKey {
  static constexpr std::string_view topic = "registry.bind-idempotency-key";
  using Reply = Done;
  PersonId person_id = {};
  std::string idempotency_key = {};  // 1..128 printable characters
  std::string fingerprint = {};      // SHA-256 in hex of method, path and body
  NUCLEUS_FIELDS(person_id, idempotency_key, fingerprint);
};

/// The acknowledgement of responsibility that a PI and a cluster admin of each project sign before
/// the project's nodes may be powered on.
struct AcknowledgementText {
  std::uint32_t version = 0;  // 0 = no text was set; nobody has to sign
  std::string text = {};      // 0..65,536 bytes
  bool is_required = false;
  NUCLEUS_FIELDS(version, text, is_required);
};

/// Sets the text. A new text is a new version, which each project has to sign again.
struct SetAcknowledgementText {
  static constexpr std::string_view topic = "registry.set-acknowledgement-text";
  using Reply = AcknowledgementText;
  std::string text = {};  // 0..65,536 bytes
  bool is_required = true;
  NUCLEUS_FIELDS(text, is_required);
};

/// A signature; it is never changed and never removed.
struct Acknowledgement {
  ProjectId project_id = {};
  PersonId person_id = {};
  Role role = Role::unknown;  // at the time of signing
  std::uint32_t version = 0;
  std::string text_sha256 = {};  // hex
  std::int64_t signed_unix_s = 0;
  NUCLEUS_FIELDS(project_id, person_id, role, version, text_sha256, signed_unix_s);
};

/// A PI or cluster admin signs the text for one of their projects. `conflict` if the version is not
/// the current one.
struct SignAcknowledgement {
  static constexpr std::string_view topic = "registry.sign-acknowledgement";
  using Reply = Acknowledgement;
  PersonId person_id = {};
  ProjectId project_id = {};
  std::uint32_t version = 0;
  NUCLEUS_FIELDS(person_id, project_id, version);
};

struct AcknowledgementStatus {
  AcknowledgementText text = {};
  std::vector<Acknowledgement> acknowledgements = {};  // of the project, oldest first
  bool is_acknowledged = true;                         // its nodes may be powered on
  std::string missing = {};  // who has to sign: "a PI", "a cluster admin" or both; empty = nobody
  std::string next = {};     // cursor of the next page of acknowledgements; empty = the last
  NUCLEUS_FIELDS(text, acknowledgements, is_acknowledged, missing, next);
};

struct GetAcknowledgements {
  static constexpr std::string_view topic = "registry.get-acknowledgements";
  using Reply = AcknowledgementStatus;
  ProjectId project_id = {};
  Page page = {};  // of the acknowledgements
  NUCLEUS_FIELDS(project_id, page);
};

/// Event: a project's nodes may be powered on, or no longer. Before the first such event they may.
struct AcknowledgementChanged {
  static constexpr std::string_view topic = "registry.acknowledgement-changed";
  ProjectId project_id = {};
  bool is_acknowledged = true;
  std::string reason = {};  // if not acknowledged
  NUCLEUS_FIELDS(project_id, is_acknowledged, reason);
};

}  // namespace nucleus::msg
