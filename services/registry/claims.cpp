// Idempotency keys: each stands for one request of its person, for a day.
#include <algorithm>

#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {

namespace {

constexpr std::int64_t claim_age_s = 86'400;
constexpr std::size_t claims_swept_max = 1'000;  // at once
constexpr std::size_t claims_per_person_max = 10'000;

}  // namespace

core::Result<msg::Done> Service::claim_request(const msg::BindIdempotencyKey& request,
                                               core::Context& context) {
  if (auto broken = msg::check_name("person_id", request.person_id.value))
    return std::unexpected(*broken);
  const auto& said = request.idempotency_key;
  if (said.empty() || said.size() > 128 ||
      !std::ranges::all_of(said, [](char c) { return c > ' ' && c < 0x7f; }))
    return std::unexpected(msg::invalid("idempotency_key", "1 to 128 printable characters"));
  if (request.fingerprint.empty() || request.fingerprint.size() > 128)
    return std::unexpected(msg::invalid("fingerprint", "the fingerprint is no SHA-256"));
  auto tx = store_.begin(context);
  const auto key = keys::claim(request.person_id, said);
  const auto* known = tx.read(key);
  if (known && known->expires_unix_s > context.now_unix_s()) {
    if (known->fingerprint == request.fingerprint) return msg::Done{};
    return std::unexpected(
        msg::invalid("idempotency_key", "this key stands for another request already"));
  }
  std::size_t held = 0;
  store_.for_each<StoredClaim>(keys::claim(request.person_id, ""),
                               [&](const StoredClaim&) { ++held; });
  if (held >= claims_per_person_max)
    return core::refuse(core::ErrorCode::no_capacity, "too many idempotency keys in one day");
  tx.write(key, StoredClaim{.person_id = request.person_id,
                            .idempotency_key = said,
                            .fingerprint = request.fingerprint,
                            .expires_unix_s = context.now_unix_s() + claim_age_s});
  return tx.commit(msg::Done{});
}

void Service::sweep_claims(core::Context& context) {
  std::vector<StoredClaim> expired;
  store_.for_each<StoredClaim>(keys::claims(), [&](const StoredClaim& claim) {
    if (claim.expires_unix_s <= context.now_unix_s() && expired.size() < claims_swept_max)
      expired.push_back(claim);
  });
  if (expired.empty()) return;
  auto tx = store_.begin(context);
  for (const auto& claim : expired) tx.remove(keys::claim(claim.person_id, claim.idempotency_key));
  (void)tx.commit();  // where it does not land, the next sweep finds them again
}

}  // namespace nucleus::registry
