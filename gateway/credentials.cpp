#include "gateway/credentials.hpp"

#include <openssl/evp.h>

#include <charconv>
#include <map>

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

std::unexpected<core::Error> nobody(const char* detail) {
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

core::Result<Credential> signature_of(const HttpRequest& request, std::string_view text) {
  const auto said = parameters(text);
  const auto find = [&](const char* name) {
    const auto found = said.find(name);
    return found == said.end() ? std::string() : found->second;
  };
  msg::CheckSignature check{.key_name = request.header("X-Api-Key"),
                            .signature_base64 = find("signature"),
                            .nonce = request.header("nonce")};
  if (check.key_name.empty()) check.key_name = find("keyId");
  if (find("algorithm") != "hmac-sha256") return nobody("algorithm must be hmac-sha256");
  const std::string timestamp = request.header("timestamp");
  if (check.nonce.empty()) return nobody("nonce missing");
  if (timestamp.empty()) return nobody("timestamp missing");
  const char* end = timestamp.data() + timestamp.size();
  if (std::from_chars(timestamp.data(), end, check.timestamp_unix_s).ptr != end)
    return nobody("timestamp is no number");
  // The signed text is what stands in `headers`, in that order; nonce and time must be among them.
  std::string names = find("headers");
  bool has_nonce = false;
  bool has_timestamp = false;
  while (!names.empty()) {
    const auto space = names.find(' ');
    const std::string name = names.substr(0, space);
    names = space == std::string::npos ? "" : names.substr(space + 1);
    has_nonce |= name == "nonce";
    has_timestamp |= name == "timestamp";
    std::string method = request.method;
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (!check.signed_text.empty()) check.signed_text += '\n';
    check.signed_text +=
        name + ": " +
        (name == "(request-target)" ? method + " " + request.target : request.header(name));
  }
  if (!has_nonce || !has_timestamp) return nobody("nonce and timestamp must be signed");
  return check;
}

core::Result<Credential> basic_of(std::string_view base64) {
  std::string bytes(base64.size() + 4, '\0');
  const int count = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                    reinterpret_cast<const unsigned char*>(base64.data()),
                                    static_cast<int>(base64.size()));
  if (count < 0) return nobody("the Basic credential is malformed");
  bytes.resize(static_cast<std::size_t>(count));
  while (!bytes.empty() && bytes.back() == '\0') bytes.pop_back();
  const auto colon = bytes.find(':');
  if (colon == std::string::npos) return nobody("the Basic credential is malformed");
  return msg::CheckToken{bytes.substr(colon + 1)};
}

}  // namespace

core::Result<Credential> credential_of(const HttpRequest& request) {
  const std::string text = request.header("Authorization");
  if (text.empty()) return nobody("Authentication credentials were not provided.");
  if (text.size() > 8192) return nobody("the credential is too long");
  const auto space = text.find(' ');
  const std::string scheme = text.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : text.substr(space + 1);
  if (scheme == "Token" || scheme == "Bearer") return msg::CheckToken{rest};
  if (scheme == "Signature") return signature_of(request, rest);
  if (scheme == "Basic") return basic_of(rest);
  return nobody("the scheme of Authorization is not known");
}

}  // namespace nucleus::gateway
