#include "services/registry/credentials.hpp"

#include <algorithm>

#include "core/digest/digest.hpp"
#include "messages/text.hpp"

namespace nucleus::registry {
namespace {

constexpr std::size_t signed_text_bytes_max = 16'384;
constexpr std::size_t nonce_bytes_max = 64;
constexpr std::size_t key_name_bytes_max = 254;

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

std::string sign(std::string_view secret, std::string_view text) {
  return core::to_base64(core::hmac_sha256(secret, text));
}

bool is_signature(std::string_view signature_base64, std::string_view secret,
                  std::string_view text) {
  const auto given = core::from_base64(signature_base64).value_or("");
  const core::Sha256 expected = core::hmac_sha256(secret, text);
  core::Sha256 mac{};
  std::ranges::copy_n(given.begin(),
                      static_cast<std::ptrdiff_t>(std::min(given.size(), mac.size())), mac.begin());
  return core::is_equal_in_constant_time(mac, expected) && given.size() == mac.size();
}

std::optional<msg::Error> check_shape(const msg::CheckSignature& request, std::int64_t now_unix_s,
                                      std::int64_t age_s) {
  const auto refuse = [](std::string_view field, std::string_view detail) {
    return msg::Error{.code = msg::ErrorCode::unauthenticated,
                      .detail = std::string(detail),
                      .field = std::string(field)};
  };
  if (request.key_name.empty()) return refuse("key_name", "the name of the API key is missing");
  if (request.key_name.size() > key_name_bytes_max || !is_printable(request.key_name))
    return refuse("key_name", "the name of the API key is malformed");
  if (request.nonce.empty()) return refuse("nonce", "nonce is missing");
  if (request.nonce.size() > nonce_bytes_max || !is_printable(request.nonce))
    return refuse("nonce", "nonce must be 1 to 64 printable characters");
  if (request.timestamp_unix_s <= 0) return refuse("timestamp", "timestamp is missing");
  if (request.signed_text.size() > signed_text_bytes_max)
    return refuse("signed_text", "the signed text is over 16 KiB");
  // In this form no timestamp can overflow.
  if (request.timestamp_unix_s > now_unix_s + age_s ||
      request.timestamp_unix_s < now_unix_s - age_s)
    return refuse("timestamp",
                  "timestamp is more than " + std::to_string(age_s) + " s from the server's clock");
  return std::nullopt;
}

std::optional<msg::Error> check_token_request(const msg::IssueToken& request, msg::Role role,
                                              std::int64_t now_unix_s) {
  if (auto broken = msg::check_line("label", request.label, 64)) return broken;
  for (const auto right : request.rights)
    if (!msg::has_right(role, right))
      return msg::invalid("rights", "a token cannot have a right that its person does not have");
  if (request.expires_unix_s != 0 && request.expires_unix_s <= now_unix_s)
    return msg::invalid("expires_unix_s", "expires_unix_s must be in the future");
  return std::nullopt;
}

std::optional<msg::Error> check_strict(const std::vector<std::string>& covers) {
  for (const char* name : {"(request-target)", "host", "date", "digest"})
    if (std::ranges::find(covers, name) == covers.end())
      return msg::Error{.code = msg::ErrorCode::unauthenticated,
                        .detail = std::string("this key is strict: ") + name + " must be signed",
                        .field = "signature"};
  return std::nullopt;
}

std::optional<msg::Error> check_password(std::string_view password) {
  if (password.size() >= 8 && password.size() <= 128 && password.find('\0') == password.npos)
    return std::nullopt;
  return msg::invalid("password", "password must be 8 to 128 bytes");
}

std::vector<msg::Right> rights_of(msg::Role role, const std::vector<msg::Right>& narrowed) {
  std::vector<msg::Right> rights;
  for (const auto right : msg::all_rights)
    if (msg::has_right(role, right) &&
        (narrowed.empty() || std::ranges::find(narrowed, right) != narrowed.end()))
      rights.push_back(right);
  return rights;
}

std::optional<msg::Error> check_email(std::string_view email) {
  const auto at = email.find('@');
  const bool is_address = email.size() >= 3 && email.size() <= key_name_bytes_max && at > 0 &&
                          at != email.npos && at + 1 < email.size() &&
                          email.find('@', at + 1) == email.npos && is_printable(email) &&
                          email.find_first_of(":\"'<>\\,;/*?") == email.npos;
  if (is_address) return std::nullopt;
  return msg::invalid("email", "email must be an address of 3 to 254 characters with one @");
}

std::optional<msg::Error> check_person(const msg::Person& person) {
  if (auto broken = msg::check_name("person_id", person.person_id.value)) return broken;
  if (!person.email.empty())
    if (auto broken = check_email(person.email)) return broken;
  if (auto broken = msg::check_line("first_name", person.first_name, 256)) return broken;
  if (auto broken = msg::check_line("last_name", person.last_name, 256)) return broken;
  if (person.role == msg::Role::unknown)
    return msg::invalid("role", "role must be operator, pi, cluster_admin, trainer or read_only");
  if (person.projects.size() > 256) return msg::invalid("projects", "more than 256 projects");
  for (const auto& project : person.projects)
    if (auto broken = check_project("projects", project.value)) return broken;
  return std::nullopt;
}

std::optional<msg::Error> check_project(std::string_view field, std::string_view name) {
  const bool is_project =
      !name.empty() && name.size() <= 63 && name.front() != '-' && name != "public" &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == name.npos;
  if (is_project) return std::nullopt;
  return msg::invalid(
      field,
      std::string(field) + " must be 1 to 63 of a-z 0-9 -, not begin with -, and not be public");
}

}  // namespace nucleus::registry
