#include "gateway/credentials/credentials.hpp"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "core/digest/digest.hpp"
#include "gateway/json/numbers.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

std::unexpected<core::Error> unauthenticated(const char* detail) {
  return core::refuse(ErrorCode::unauthenticated, detail);
}

/// NAME="VALUE" pairs, as in `keyId="…",algorithm="…"`.
std::map<std::string, std::string> parameters(std::string_view text) {
  std::map<std::string, std::string> all;
  while (!text.empty()) {
    const auto equals = text.find("=\"");
    if (equals == std::string_view::npos) break;
    const auto end = text.find('"', equals + 2);
    if (end == std::string_view::npos) break;
    std::string name(text.substr(0, equals));
    name.erase(0, name.find_first_not_of(" ,"));
    all[name] = std::string(text.substr(equals + 2, end - equals - 2));
    text.remove_prefix(end + 1);
  }
  return all;
}

/// Seconds of an HTTP date, `Sun, 06 Nov 1994 08:49:37 GMT`; 0 if it is malformed.
std::int64_t seconds_of(const std::string& date) {
  std::tm parts{};
  const char* end = strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return end && *end == '\0' ? timegm(&parts) : 0;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Reads the names of the signed headers, in order, and the signed text: one line each.
core::Result<void> read_signed(const core::http::Request& request, const std::string& names,
                               msg::CheckSignature& check) {
  constexpr std::size_t names_max = 32;
  std::istringstream words(names);
  for (std::string name; words >> name;) {
    name = lower(name);
    if (check.covers.size() == names_max) return unauthenticated("too many signed headers");
    const std::string value = name == "(request-target)"
                                  ? lower(request.sent_method()) + " " + request.target
                                  : request.header(name);
    if (!check.signed_text.empty()) check.signed_text += '\n';
    check.signed_text += name + ": " + value;
    check.covers.push_back(std::move(name));
  }
  return {};
}

/// Reads the time of the request and its nonce.
core::Result<void> read_time_and_nonce(const core::http::Request& request,
                                       msg::CheckSignature& check) {
  const auto covers = [&](const char* name) {
    return std::ranges::find(check.covers, name) != check.covers.end();
  };
  check.nonce = request.header("nonce");
  const std::string timestamp = request.header("timestamp");
  const bool is_strict =
      covers("(request-target)") && covers("host") && covers("date") && covers("digest");
  if (is_strict && !(covers("nonce") && covers("timestamp"))) {
    check.timestamp_unix_s = seconds_of(request.header("Date"));
    if (check.timestamp_unix_s <= 0) return unauthenticated("Date must be an HTTP date");
    check.nonce = check.signature_base64;
    return {};
  }
  if (check.nonce.empty()) return unauthenticated("nonce missing");
  if (timestamp.empty()) return unauthenticated("timestamp missing");
  const auto seconds = whole_number<std::int64_t>(timestamp);
  if (!seconds) return unauthenticated("timestamp must be a number");
  check.timestamp_unix_s = *seconds;
  if (!covers("nonce") || !covers("timestamp"))
    return unauthenticated("nonce and timestamp must be signed");
  return {};
}

core::Result<Credential> signature_of(const core::http::Request& request, std::string_view text,
                                      BodyState body) {
  const auto given = parameters(text);
  const auto find = [&](const char* name) {
    const auto found = given.find(name);
    return found == given.end() ? std::string() : found->second;
  };
  msg::CheckSignature check{.key_name = request.header("X-Api-Key"),
                            .signature_base64 = find("signature")};
  if (check.key_name.empty()) check.key_name = find("keyId");
  if (find("algorithm") != "hmac-sha256") return unauthenticated("algorithm must be hmac-sha256");
  if (auto read = read_signed(request, find("headers"), check); !read)
    return std::unexpected(read.error());
  if (auto read = read_time_and_nonce(request, check); !read) return std::unexpected(read.error());
  const bool has_digest = std::ranges::find(check.covers, "digest") != check.covers.end();
  if (has_digest && body == BodyState::read)
    if (auto same = check_digest(request.header("Digest"), request.body); !same)
      return std::unexpected(same.error());
  return check;
}

core::Result<Credential> basic_of(const core::http::Request& request, std::string_view base64) {
  while (base64.starts_with(' ')) base64.remove_prefix(1);
  const auto bytes = core::from_base64(base64);
  const auto colon = bytes ? bytes->find(':') : std::string::npos;
  if (colon == std::string::npos) return unauthenticated("the Basic credential is malformed");
  return msg::CheckPassword{.person_id = {bytes->substr(0, colon)},
                            .password = bytes->substr(colon + 1),
                            .origin = request.client_address};
}

core::Result<void> compare(const std::string& given, const std::string& computed) {
  const bool is_sha256 = given.size() == computed.size() &&
                         lower(given.substr(0, 8)) == "sha-256=" &&
                         given.substr(8) == computed.substr(8);
  if (is_sha256) return {};
  return unauthenticated("Digest must be SHA-256= and the base64 of the body's hash");
}

/// The value of the Digest header for a finished hash.
std::string digest_text(core::Hasher& hash) {
  return "SHA-256=" + core::to_base64(hash.finish());
}

}  // namespace

core::Result<void> check_digest(const std::string& digest, std::string_view body) {
  core::Hasher hash(core::Hasher::Algorithm::sha256);
  hash.add(body);
  return compare(digest, digest_text(hash));
}

core::Result<void> check_file_digest(const std::string& digest, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  core::Hasher hash(core::Hasher::Algorithm::sha256);
  std::vector<char> part(1 << 20);
  while (file) {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    hash.add({part.data(), static_cast<std::size_t>(file.gcount())});
  }
  if (!file.eof()) return core::refuse(ErrorCode::internal, "the upload cannot be read");
  return compare(digest, digest_text(hash));
}

bool is_whole(const msg::Principal& who) {
  return who.expires_unix_s == 0 && msg::has_all_rights(who);
}

core::Result<Credential> credential_of(const core::http::Request& request, BodyState body) {
  const std::string text = request.header("Authorization");
  if (text.empty()) return unauthenticated("Authentication credentials were not provided.");
  if (text.size() > 8192) return unauthenticated("the credential is too long");
  const auto space = text.find(' ');
  const std::string scheme = lower(text.substr(0, space));
  const std::string rest = space == std::string::npos ? "" : text.substr(space + 1);
  if (scheme == "token" || scheme == "bearer") return msg::CheckToken{rest};
  if (scheme == "signature") return signature_of(request, rest, body);
  if (scheme == "basic") return basic_of(request, rest);
  return unauthenticated("Authorization must be Token, Bearer, Basic or Signature");
}

}  // namespace nucleus::gateway
