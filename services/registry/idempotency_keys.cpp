// Idempotency keys: each is bound to one request of its person for a day.
#include <algorithm>

#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {

namespace {

constexpr std::int64_t key_age_s = 86'400;
constexpr std::size_t keys_swept_max = 1'000;  // in one commit
constexpr std::size_t keys_per_person_max = 10'000;

}  // namespace

core::Result<msg::Done> Service::bind_idempotency_key(const msg::BindIdempotencyKey& request,
                                                      core::Context& context) {
  if (auto broken = msg::check_name("person_id", request.person_id.value))
    return std::unexpected(*broken);
  const auto& text = request.idempotency_key;
  if (text.empty() || text.size() > 128 ||
      !std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; }))
    return std::unexpected(
        msg::invalid("idempotency_key", "idempotency_key must be 1 to 128 printable characters"));
  if (request.fingerprint.empty() || request.fingerprint.size() > 128)
    return std::unexpected(msg::invalid("fingerprint", "fingerprint must be a SHA-256"));
  auto tx = store_.begin(context);
  const auto key = keys::idempotency_key(request.person_id, text);
  const auto* known = tx.read(key);
  if (known && known->expires_unix_s > context.now_unix_s()) {
    if (known->fingerprint == request.fingerprint) return msg::Done{};
    return std::unexpected(
        msg::invalid("idempotency_key", "the key was already used for another request"));
  }
  std::size_t bound = 0;
  store_.for_each<StoredIdempotencyKey>(keys::idempotency_keys(request.person_id),
                                        [&](const StoredIdempotencyKey&) { ++bound; });
  if (bound >= keys_per_person_max)
    return core::refuse(core::ErrorCode::no_capacity,
                        "the person has used 10000 idempotency keys within a day");
  tx.write(key, StoredIdempotencyKey{.person_id = request.person_id,
                                     .idempotency_key = text,
                                     .fingerprint = request.fingerprint,
                                     .expires_unix_s = context.now_unix_s() + key_age_s});
  return tx.commit(msg::Done{});
}

void Service::sweep_idempotency_keys(core::Context& context) {
  std::vector<StoredIdempotencyKey> expired;
  store_.for_each<StoredIdempotencyKey>(
      keys::idempotency_keys(), [&](const StoredIdempotencyKey& stored) {
        if (stored.expires_unix_s <= context.now_unix_s() && expired.size() < keys_swept_max)
          expired.push_back(stored);
      });
  if (expired.empty()) return;
  auto tx = store_.begin(context);
  for (const auto& stored : expired)
    tx.remove(keys::idempotency_key(stored.person_id, stored.idempotency_key));
  (void)tx.commit();  // if it fails, the next sweep finds the same keys
}

}  // namespace nucleus::registry
