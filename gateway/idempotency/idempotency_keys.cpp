#include "gateway/idempotency/idempotency_keys.hpp"

#include <algorithm>

#include "core/digest/digest.hpp"
#include "messages/people.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

constexpr std::size_t answers_max = 10'000;
constexpr std::size_t answer_bytes_max = 65'536;
constexpr std::int64_t answer_age_ms = 86'400'000;

bool is_key(const std::string& text) {
  return text.size() <= 128 &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

void IdempotencyKeys::run(const ExchangePtr& exchange, const Handler& handler) {
  const auto& request = exchange->request;
  const std::string key = request.header("Idempotency-Key");
  if (key.empty() || exchange->is_v1() || request.method == "GET") return handler(exchange);
  if (!is_key(key))
    return exchange->refuse(ErrorCode::invalid_argument,
                            "Idempotency-Key must be 1 to 128 printable characters",
                            "Idempotency-Key");
  const auto& person = exchange->who.person_id;
  const std::string name =
      core::sha256_hex(person.value + "\n" + exchange->who.person_uid + "\n" + key);
  const std::string fingerprint =
      core::sha256_hex(request.method + "\n" + request.target + "\n" + request.body);
  auto known = kept_.find(name);
  if (known != kept_.end() && known->second.fingerprint != fingerprint)
    return exchange->refuse(ErrorCode::invalid_argument,
                            "the key was already used for another request", "idempotency_key");
  if (known != kept_.end() && !known->second.is_answered)
    return exchange->refuse(ErrorCode::conflict, "the first request is not answered yet");
  if (known != kept_.end() && known->second.until_ms > loop_.steady_ms())
    return exchange->respond(known->second.answer);
  kept_[name] = {.fingerprint = fingerprint};
  exchange->before_answer([this, name](const core::http::Response& answer) { keep(name, answer); });
  exchange->ask(
      msg::BindIdempotencyKey{
          .person_id = person, .idempotency_key = key, .fingerprint = fingerprint},
      [exchange, name, handler](const msg::Done&) {
        exchange->name_calls("idempotency-" + name);
        handler(exchange);
      });
}

/// Answers that are not kept: those with a secret (`Cache-Control`), and refusals, which may depend
/// on the state: the same request may succeed later.
void IdempotencyKeys::keep(const std::string& name, const core::http::Response& answer) {
  const bool is_lasting = answer.status < 300 && !answer.on_open &&
                          !answer.headers.contains("Cache-Control") &&
                          answer.body.size() <= answer_bytes_max;
  if (!is_lasting) {
    kept_.erase(name);
    return;
  }
  auto& kept = kept_[name];
  kept.is_answered = true;
  kept.answer = answer;
  kept.until_ms = loop_.steady_ms() + answer_age_ms;
  answered_.push_back(name);
  while (answered_.size() > answers_max) {
    if (auto oldest = kept_.find(answered_.front());
        oldest != kept_.end() && oldest->second.is_answered)
      kept_.erase(oldest);
    answered_.pop_front();
  }
}

}  // namespace nucleus::gateway
