// The registry's messages about who there is: roles and rights, projects, people, their passwords,
// keys and tokens, and what they sign.
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

// What a route or a token may do, from weak to strong.
//   read     see what is the caller's projects'
//   power    power nodes, start and end computesets, measure
//   console  open consoles
//   images   upload, attach and remove images
//   define   make, change and remove clusters and nodes
//   people   members, keys and allocations of the caller's own projects
//   operate  the centre's: hosts, every project, every person
NUCLEUS_ENUM(Right, read, power, console, images, define, people, operate)

inline constexpr std::array all_rights = {Right::read,   Right::power,  Right::console,
                                          Right::images, Right::define, Right::people,
                                          Right::operate};

/// What a role may do at most; a token may be good for less.
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

/// Who speaks, and what the credential is good for: the answer to every kind of credential.
struct Principal {
  PersonId person_id = {};
  Role role = Role::unknown;
  std::vector<ProjectId> projects = {};  // 0..256
  std::vector<Right> rights = {};        // the role's, less what the token leaves out
  std::string token_id = {};             // where a token said it; empty else
  std::int64_t expires_unix_s = 0;       // of the token; 0 = it does not end
  NUCLEUS_FIELDS(person_id, role, projects, rights, token_id, expires_unix_s);
};

inline bool is_operator(const Principal& who) {
  return who.role == Role::operator_;
}

/// Whether what is this project's is told to them; to others it looks like nothing.
inline bool sees(const Principal& who, const ProjectId& project) {
  return is_operator(who) || std::ranges::find(who.projects, project) != who.projects.end();
}

inline bool may(const Principal& who, Right right) {
  return std::ranges::find(who.rights, right) != who.rights.end();
}

/// Makes a project, or does nothing where it is there.
struct DefineProject {
  static constexpr std::string_view topic = "registry.define-project";
  using Reply = Done;
  ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

struct Project {
  ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

struct Projects {
  std::vector<Project> projects = {};  // by name
  NUCLEUS_FIELDS(projects);
};

/// These projects, or all with `is_operator`.
struct ListProjects {
  static constexpr std::string_view topic = "registry.list-projects";
  using Reply = Projects;
  std::vector<ProjectId> projects = {};
  bool is_operator = false;
  NUCLEUS_FIELDS(projects, is_operator);
};

/// Removes a project; `wrong_state` while it has a cluster. It is taken from its members.
struct RemoveProject {
  static constexpr std::string_view topic = "registry.remove-project";
  using Reply = Done;
  ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

struct Person {
  PersonId person_id = {};
  std::string email = {};
  std::string first_name = {};
  std::string last_name = {};
  Role role = Role::cluster_admin;
  std::vector<ProjectId> projects = {};
  NUCLEUS_FIELDS(person_id, email, first_name, last_name, role, projects);
};

/// Makes or changes a person; the projects must be there.
struct DefinePerson {
  static constexpr std::string_view topic = "registry.define-person";
  using Reply = Done;
  Person person = {};
  NUCLEUS_FIELDS(person);
};

/// Changes how a person is named; what is left out stays.
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
  std::vector<Person> people = {};  // by id, at most 1000
  bool is_more = false;             // ask again with `after`
  NUCLEUS_FIELDS(people, is_more);
};

/// Members of any of these projects, or all with `is_operator`.
struct ListPeople {
  static constexpr std::string_view topic = "registry.list-people";
  using Reply = People;
  std::vector<ProjectId> projects = {};
  bool is_operator = false;
  PersonId after = {};
  NUCLEUS_FIELDS(projects, is_operator, after);
};

/// Removes a person with every credential; what they signed stays on record.
struct RemovePerson {
  static constexpr std::string_view topic = "registry.remove-person";
  using Reply = Done;
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

/// Sets a person's password (argon2id is what is stored); ends every token of theirs.
struct SetPassword {
  static constexpr std::string_view topic = "registry.set-password";
  using Reply = Done;
  PersonId person_id = {};
  std::string password = {};  // 8..128 bytes
  NUCLEUS_FIELDS(person_id, password);
};

/// Checks a password. `no_capacity` after too many failures of this person or origin in a while.
struct CheckPassword {
  static constexpr std::string_view topic = "registry.check-password";
  using Reply = Principal;
  PersonId person_id = {};
  std::string password = {};
  std::string origin = {};  // the client's address, for the rate limit alone
  NUCLEUS_FIELDS(person_id, password, origin);
};

/// A person's API key; made at the first call, the same one at each later call.
struct ApiKey {
  std::string key_name = {};
  std::string secret = {};  // 24 letters and digits
  bool is_strict = false;   // good only with signatures over method, path and body too
  NUCLEUS_FIELDS(key_name, secret, is_strict);
};

struct IssueKey {
  static constexpr std::string_view topic = "registry.issue-key";
  using Reply = ApiKey;
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

/// Ends a person's API key and makes another; with `is_none` makes none.
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
  std::string token_id = {};  // 16 hex digits; no secret
  std::int64_t expires_unix_s = 0;
  NUCLEUS_FIELDS(token, token_id, expires_unix_s);
};

/// Has the form of a token: 40 lower-case hex digits.
constexpr bool is_token(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

struct IssueToken {
  static constexpr std::string_view topic = "registry.issue-token";
  using Reply = Token;
  PersonId person_id = {};
  std::string label = {};           // 0..64 bytes, for the list
  std::vector<Right> rights = {};   // empty = all of the person's role; one it has not is refused
  std::int64_t expires_unix_s = 0;  // 0 = does not end
  NUCLEUS_FIELDS(person_id, label, rights, expires_unix_s);
};

struct TokenEntry {
  std::string token_id = {};
  std::string label = {};
  std::vector<Right> rights = {};  // empty = all of the role
  std::int64_t issued_unix_s = 0;
  std::int64_t expires_unix_s = 0;
  NUCLEUS_FIELDS(token_id, label, rights, issued_unix_s, expires_unix_s);
};

struct Tokens {
  std::vector<TokenEntry> tokens = {};  // oldest first
  NUCLEUS_FIELDS(tokens);
};

struct ListTokens {
  static constexpr std::string_view topic = "registry.list-tokens";
  using Reply = Tokens;
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

/// Ends one token of a person; `not_found` where they have none of this id.
struct RevokeToken {
  static constexpr std::string_view topic = "registry.revoke-token";
  using Reply = Done;
  PersonId person_id = {};
  std::string token_id = {};
  NUCLEUS_FIELDS(person_id, token_id);
};

struct CheckToken {
  static constexpr std::string_view topic = "registry.check-token";
  using Reply = Principal;
  std::string token = {};
  NUCLEUS_FIELDS(token);
};

/// Checks an API-key signature (compat section 1.5): HMAC-SHA256 over `signed_text`, one use a
/// nonce, clock within 1800 s. A strict key wants `covers` to hold (request-target), host, date and
/// digest; the gateway has compared those with the request.
struct CheckSignature {
  static constexpr std::string_view topic = "registry.check-signature";
  using Reply = Principal;
  std::string key_name = {};
  std::string signed_text = {};       // the lines that the client signed
  std::string signature_base64 = {};  // as sent
  std::string nonce = {};             // 1..64 characters
  std::int64_t timestamp_unix_s = 0;
  std::vector<std::string> covers = {};  // what was signed, lower case
  NUCLEUS_FIELDS(key_name, signed_text, signature_base64, nonce, timestamp_unix_s, covers);
};

/// Event: what a person may do changed, or a credential of theirs ended: whoever remembers an
/// answer to a check forgets it.
struct CredentialsChanged {
  static constexpr std::string_view topic = "registry.credentials-changed";
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

/// Binds a client's idempotency key to one request for a day. `invalid_argument`: it stands for
/// another request.
struct BindIdempotencyKey {
  static constexpr std::string_view topic = "registry.bind-idempotency-key";
  using Reply = Done;
  PersonId person_id = {};
  std::string idempotency_key = {};  // 1..128 printable characters
  std::string fingerprint = {};      // SHA-256 in hex of method, path and body
  NUCLEUS_FIELDS(person_id, idempotency_key, fingerprint);
};

/// The text that PI and an admin of each project sign before its nodes may be powered on.
struct AcknowledgementText {
  std::uint32_t version = 0;  // 0 = there is none, and nobody need sign
  std::string text = {};      // 0..65,536 bytes
  bool is_required = false;
  NUCLEUS_FIELDS(version, text, is_required);
};

/// Operator: sets the text. Another text is another version, to be signed anew.
struct SetAcknowledgementText {
  static constexpr std::string_view topic = "registry.set-acknowledgement-text";
  using Reply = AcknowledgementText;
  std::string text = {};
  bool is_required = true;
  NUCLEUS_FIELDS(text, is_required);
};

/// Who signed what, when: never changed and never removed.
struct Acknowledgement {
  ProjectId project_id = {};
  PersonId person_id = {};
  Role role = Role::unknown;  // when they signed
  std::uint32_t version = 0;
  std::string text_sha256 = {};  // hex
  std::int64_t signed_unix_s = 0;
  NUCLEUS_FIELDS(project_id, person_id, role, version, text_sha256, signed_unix_s);
};

/// A PI or cluster admin signs for one of their projects. `conflict` where the version is not the
/// present one.
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
  std::string missing = {};                            // who has not signed; empty = nobody
  NUCLEUS_FIELDS(text, acknowledgements, is_acknowledged, missing);
};

struct GetAcknowledgements {
  static constexpr std::string_view topic = "registry.get-acknowledgements";
  using Reply = AcknowledgementStatus;
  ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

/// Event: whether a project's nodes may be powered on. Where it was never told, they may.
struct AcknowledgementChanged {
  static constexpr std::string_view topic = "registry.acknowledgement-changed";
  ProjectId project_id = {};
  bool is_acknowledged = true;
  std::string reason = {};  // where not
  NUCLEUS_FIELDS(project_id, is_acknowledged, reason);
};

}  // namespace nucleus::msg
