// The registry's Redis keys. No other file spells one.
#pragma once

#include <string>

#include "core/state/store.hpp"
#include "services/registry/records.hpp"

namespace nucleus::registry::keys {

inline core::Key<StoredProject> project(const msg::ProjectId& id) {
  return {"nucleus:registry:project:" + id.value};
}
inline core::Key<StoredProject> projects() {
  return {"nucleus:registry:project:"};
}
/// Stays for ever: usage, finished computesets and events carry the project's name.
inline core::Key<StoredProject> removed_project(const msg::ProjectId& id) {
  return {"nucleus:registry:removed-project:" + id.value};
}
/// The version is padded, so that the newest one is last in key order.
inline core::Key<StoredText> acknowledgement_text(std::uint32_t version) {
  const std::string digits = std::to_string(version);
  return {"nucleus:registry:acknowledgement-text:" + std::string(10 - digits.size(), '0') + digits};
}
inline core::Key<StoredText> acknowledgement_texts() {
  return {"nucleus:registry:acknowledgement-text:"};
}
/// The time is part of the key: after a project was removed and created again, the same person may
/// sign the same version again.
inline core::Key<StoredAcknowledgement> acknowledgement(const msg::Acknowledgement& one) {
  return {"nucleus:registry:acknowledgement:" + one.project_id.value + ":" +
          std::to_string(one.version) + ":" + one.person_id.value + ":" +
          std::string(msg::name_of(one.role)) + ":" + std::to_string(one.signed_unix_s)};
}
inline core::Key<StoredAcknowledgement> acknowledgements(const msg::ProjectId& id) {
  return {"nucleus:registry:acknowledgement:" + id.value + ":"};
}
inline core::Key<StoredPerson> people() {
  return {"nucleus:registry:person:"};
}
inline core::Key<StoredPerson> person(const msg::PersonId& id) {
  return {"nucleus:registry:person:" + id.value};
}
inline core::Key<StoredKey> api_key(const std::string& key_name) {
  return {"nucleus:registry:api-key:" + key_name};
}
inline core::Key<StoredToken> token(const std::string& hash) {
  return {"nucleus:registry:token:" + hash};
}
/// A key name has no colon, so no two pairs share a key.
inline core::Key<StoredNonce> nonce(const std::string& key_name, const std::string& nonce) {
  return {"nucleus:registry:nonce:" + key_name + ":" + nonce};
}
inline core::Key<StoredNonce> nonces() {
  return {"nucleus:registry:nonce:"};
}
/// A person's name has no colon, so no two pairs share a key.
inline core::Key<StoredIdempotencyKey> idempotency_key(const msg::PersonId& id,
                                                       const std::string& idempotency_key) {
  return {"nucleus:registry:idempotency-key:" + id.value + ":" + idempotency_key};
}
inline core::Key<StoredIdempotencyKey> idempotency_keys(const msg::PersonId& id) {
  return {"nucleus:registry:idempotency-key:" + id.value + ":"};
}
inline core::Key<StoredIdempotencyKey> idempotency_keys() {
  return {"nucleus:registry:idempotency-key:"};
}
inline core::Key<StoredCluster> cluster(const msg::ClusterId& id) {
  return {"nucleus:registry:cluster:" + id.value};
}
inline core::Key<StoredCluster> clusters() {
  return {"nucleus:registry:cluster:"};
}
inline core::Key<StoredNode> node(const msg::NodeId& id) {
  return {"nucleus:registry:node:" + id.value};
}
inline core::Key<StoredNode> nodes() {
  return {"nucleus:registry:node:"};
}

}  // namespace nucleus::registry::keys
