// What the registry stores. Private to this room: other services ask by message.
#pragma once

#include <string>
#include <vector>

#include "messages/registry.hpp"

namespace nucleus::registry {

struct StoredProject {
  msg::ProjectId project_id = {};
  // Acknowledgements that were signed for a former project of the same name do not count.
  std::int64_t defined_unix_s = 0;
  bool is_unused = false;     // it never had a person or a cluster: its name may be given again
  bool is_announced = false;  // by ProjectDefined, which release 0.1 did not emit
  bool record_consoles = false;
  NUCLEUS_FIELDS(project_id, defined_unix_s, is_unused, is_announced, record_consoles);
};

/// The text of an acknowledgement. Every version is kept, because somebody may have signed it.
struct StoredText {
  msg::AcknowledgementText text = {};
  NUCLEUS_FIELDS(text);
};

struct StoredAcknowledgement {
  msg::Acknowledgement acknowledgement = {};
  NUCLEUS_FIELDS(acknowledgement);
};

struct StoredPerson {
  msg::Person person = {};
  std::string key_name = {};                   // of the API key; empty = no key
  std::vector<std::string> token_hashes = {};  // oldest first, at most registry.tokens_max
  std::string password_hash = {};              // argon2id; empty = no password was set
  std::string uid = {};                        // never used again, as the name may be
  NUCLEUS_FIELDS(person, key_name, token_hashes, password_hash, uid);
};

/// An API key. The secret is stored in clear, because HMAC needs it on both sides.
struct StoredKey {
  std::string key_name = {};
  std::string secret = {};
  msg::PersonId person_id = {};
  bool is_strict = false;
  NUCLEUS_FIELDS(key_name, secret, person_id, is_strict);
};

/// A token. Its key is the SHA-256 of the token, which itself is not stored.
struct StoredToken {
  msg::PersonId person_id = {};
  std::int64_t issued_unix_s = 0;
  std::string label = {};
  std::vector<msg::Right> rights = {};  // empty = all of the role
  std::int64_t expires_unix_s = 0;      // 0 = does not expire
  std::string made_by = {};             // id of the token with which it was requested
  NUCLEUS_FIELDS(person_id, issued_unix_s, label, rights, expires_unix_s, made_by);
};

/// A nonce that was used. After `expires_unix_s` its timestamp is too old to be accepted.
struct StoredNonce {
  std::string key_name = {};
  std::string nonce = {};
  std::int64_t expires_unix_s = 0;
  msg::PersonId person_id = {};
  NUCLEUS_FIELDS(key_name, nonce, expires_unix_s, person_id);
};

/// The request that a person's idempotency key is bound to until `expires_unix_s`.
struct StoredIdempotencyKey {
  msg::PersonId person_id = {};
  std::string idempotency_key = {};
  std::string fingerprint = {};
  std::int64_t expires_unix_s = 0;
  NUCLEUS_FIELDS(person_id, idempotency_key, fingerprint, expires_unix_s);
};

struct StoredCluster {
  msg::Cluster cluster = {};
  NUCLEUS_FIELDS(cluster);
};

struct StoredNode {
  msg::Node node = {};
  NUCLEUS_FIELDS(node);
};

}  // namespace nucleus::registry
