// Which credentials are accepted.
#include "services/registry/credentials.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "services/registry/randomness.hpp"

namespace nucleus::registry {
namespace {

constexpr const char* text = "nonce: ABC123DEF4\ntimestamp: 1467000000";
constexpr const char* signature = "HqLrfpWGk8e6/jjw7OyrjRvCAP30ym4c0UiRXqhsQ0M=";

msg::CheckSignature a_request() {
  return {.key_name = "ann@example.org",
          .signed_text = text,
          .signature_base64 = signature,
          .nonce = "ABC123DEF4",
          .timestamp_unix_s = 1'467'000'000};
}

TEST(Credentials, SignsAsOldClientsDo) {
  EXPECT_EQ(sign("REALAPISECRET", text), signature);
}

TEST(Credentials, AcceptsOnlyTheRightSignature) {
  EXPECT_TRUE(is_signature(signature, "REALAPISECRET", text));
  EXPECT_FALSE(is_signature(signature, "REALAPISECRET", "nonce: X\ntimestamp: 1"));
  EXPECT_FALSE(is_signature(signature, "OTHERSECRET", text));
}

TEST(Credentials, RefusesWhatIsNotThirtyTwoBytesOfBase64) {
  const std::string all_zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  for (const std::string& bad : {std::string{}, std::string{"===="}, std::string(signature) + "A",
                                 std::string(signature) + "\n", std::string(signature, 40),
                                 all_zero, std::string(1 << 16, 'A')})
    EXPECT_FALSE(is_signature(bad, "REALAPISECRET", text)) << bad.substr(0, 60);
}

TEST(Credentials, AllowsAClockToBeOffByHalfAnHourEitherWay) {
  const auto request = a_request();
  const auto at = request.timestamp_unix_s;
  EXPECT_FALSE(check_shape(request, at + 1800, 1800));
  EXPECT_FALSE(check_shape(request, at - 1800, 1800));
  EXPECT_EQ(check_shape(request, at + 1801, 1800)->field, "timestamp");
  EXPECT_EQ(check_shape(request, at - 1801, 1800)->field, "timestamp");
}

TEST(Credentials, RefusesTimestampsAtTheEndsOfTheirType) {
  auto request = a_request();
  request.timestamp_unix_s = std::numeric_limits<std::int64_t>::max();
  EXPECT_TRUE(check_shape(request, 1'467'000'000, 1800));
  request.timestamp_unix_s = std::numeric_limits<std::int64_t>::min();
  EXPECT_TRUE(check_shape(request, 1'467'000'000, 1800));
}

TEST(Credentials, NamesTheFieldThatIsMissingOrMalformed) {
  const auto field = [](auto change) {
    auto request = a_request();
    change(request);
    const auto broken = check_shape(request, 1'467'000'000, 1800);
    return broken && broken->code == msg::ErrorCode::unauthenticated ? broken->field : "";
  };
  EXPECT_EQ(field([](auto& r) { r.nonce = ""; }), "nonce");
  EXPECT_EQ(field([](auto& r) { r.nonce = std::string(65, 'N'); }), "nonce");
  EXPECT_EQ(field([](auto& r) { r.nonce = "A\nB"; }), "nonce");
  EXPECT_EQ(field([](auto& r) { r.key_name = ""; }), "key_name");
  EXPECT_EQ(field([](auto& r) { r.key_name = "a b"; }), "key_name");
  EXPECT_EQ(field([](auto& r) { r.timestamp_unix_s = 0; }), "timestamp");
  EXPECT_EQ(field([](auto& r) { r.signed_text = std::string(20'000, 'x'); }), "signed_text");
}

TEST(Credentials, ATokenIsFortyHexDigits) {
  EXPECT_TRUE(msg::is_token("0123456789abcdef0123456789abcdef01234567"));
  EXPECT_FALSE(msg::is_token("0123456789ABCDEF0123456789abcdef01234567"));
  EXPECT_FALSE(msg::is_token("0123"));
}

TEST(Credentials, MakesSecretsOfTheDocumentedForm) {
  SodiumRandomness randomness;
  const auto secret = new_secret(randomness);
  EXPECT_EQ(secret.size(), 24u);
  for (const char c : secret) EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c))) << secret;
  EXPECT_TRUE(msg::is_token(new_token(randomness)));
  EXPECT_NE(new_token(randomness), new_token(randomness));
}

TEST(Credentials, AcceptsAddressesThatAreSafeInAKeyName) {
  EXPECT_FALSE(check_email("ann@example.org"));
  for (const char* bad :
       {"ann", "@b", "a@", "a@b@c", "a b@c", "a:b@c", "a@b\n", "<a@b>", "a\"@b", "*@b"})
    EXPECT_TRUE(check_email(bad)) << bad;
}

TEST(Credentials, ChecksAPersonFieldByField) {
  msg::Person person{.person_id = {"ann"}, .email = "ann@example.org", .projects = {{"demo"}}};
  EXPECT_FALSE(check_person(person));
  const auto field = [&](auto change) {
    auto other = person;
    change(other);
    const auto broken = check_person(other);
    return broken ? broken->field : "";
  };
  EXPECT_EQ(field([](auto& p) { p.person_id.value = "a/b"; }), "person_id");
  EXPECT_EQ(field([](auto& p) { p.email = "nobody"; }), "email");
  EXPECT_EQ(field([](auto& p) { p.first_name = "\x1b[31m"; }), "first_name");
  EXPECT_EQ(field([](auto& p) { p.last_name = std::string(300, 'x'); }), "last_name");
  EXPECT_EQ(field([](auto& p) { p.role = msg::Role::unknown; }), "role");
  EXPECT_EQ(field([](auto& p) { p.projects = {{"Not A Project"}}; }), "projects");
}

TEST(Credentials, KeepsThePublicNamespaceFromProjects) {
  EXPECT_FALSE(check_project("project_id", "demo-2"));
  for (const char* bad : {"", "public", "-a", "Demo", "a_b", "a/b"})
    EXPECT_TRUE(check_project("project_id", bad)) << bad;
}

}  // namespace
}  // namespace nucleus::registry
