#include "services/image_store/driver/tus.hpp"

#include <gtest/gtest.h>

namespace nucleus::image_store {
namespace {

const std::string id(32, 'a');

core::http::Request a_request() {
  return {.method = "PATCH",
          .path = "/uploads/" + id,
          .headers = {{"Tus-Resumable", "1.0.0"},
                      {"Authorization", "Bearer secret"},
                      {"Content-Type", "application/offset+octet-stream"},
                      {"Upload-Offset", "7"}}};
}

core::Error error_with(const std::string& name, const std::string& value) {
  auto request = a_request();
  request.headers[name] = value;
  const auto access = parse_access(request);
  if (!access) return access.error();
  const auto part = parse_part(request, access->upload_id);
  return part ? core::Error{} : part.error();
}

TEST(Tus, ReadsAPart) {
  const auto access = parse_access(a_request());
  ASSERT_TRUE(access);
  EXPECT_EQ(access->upload_id, id);
  EXPECT_EQ(access->ticket, "secret");
  const auto part = parse_part(a_request(), id);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->offset, 7U);
  EXPECT_FALSE(part->checksum);
}

TEST(Tus, RefusesAMalformedHeaderByName) {
  EXPECT_EQ(tus_refusal(error_with("Tus-Resumable", "0.2.2")).status, 412);
  EXPECT_EQ(tus_refusal(error_with("Authorization", "Basic x")).status, 401);
  EXPECT_EQ(tus_refusal(error_with("Content-Type", "text/plain")).status, 415);
  for (const auto* offset : {"", "-1", "+1", "1 ", "x", "18446744073709551616"}) {
    EXPECT_EQ(error_with("Upload-Offset", offset).field, "Upload-Offset") << offset;
    EXPECT_EQ(tus_refusal(error_with("Upload-Offset", offset)).status, 400) << offset;
  }
  for (const auto* checksum : {"sha256", "sha256 ", "crc32 AAAA", "sha1 AAAA", "sha256 !"})
    EXPECT_EQ(error_with("Upload-Checksum", checksum).field, "Upload-Checksum") << checksum;
}

TEST(Tus, FindsNoUploadInAnotherPath) {
  for (const auto& path : {std::string("/"), std::string("/uploads/"), "/uploads/" + id + "/",
                           "/uploads/" + id + "0", "/uploads/../" + id, "/uploads//" + id,
                           "/uploads/" + std::string(32, 'G'), "/base/" + id}) {
    auto request = a_request();
    request.path = path;
    const auto access = parse_access(request);
    ASSERT_FALSE(access) << path;
    EXPECT_EQ(access.error().code, core::ErrorCode::not_found) << path;
  }
}

core::http::Response answered_to(const std::string& method, const std::string& origin) {
  core::http::Request request{.method = method};
  if (!origin.empty()) request.headers["Origin"] = origin;
  auto response = tus_response(204);
  allow_origin(request, {"https://nucleus.example", "http://localhost:8080"}, response);
  return response;
}

TEST(Tus, LetsPagesOfItsOriginsReadTheResponse) {
  for (const auto* origin : {"https://nucleus.example", "http://localhost:8080"}) {
    const auto headers = answered_to("PATCH", origin).headers;
    EXPECT_EQ(headers.at("Access-Control-Allow-Origin"), origin);
    EXPECT_NE(headers.at("Access-Control-Expose-Headers").find("Upload-Offset"), std::string::npos);
    EXPECT_FALSE(headers.contains("Access-Control-Allow-Methods")) << "no preflight";
    EXPECT_FALSE(headers.contains("Access-Control-Allow-Credentials"));
  }
  const auto headers = answered_to("OPTIONS", "https://nucleus.example").headers;
  EXPECT_EQ(headers.at("Access-Control-Allow-Methods"), "HEAD, PATCH, DELETE");
}

TEST(Tus, AllowsPagesOfOtherOriginsNothing) {
  for (const auto* origin : {"", "null", "*", "https://evil.example", "http://nucleus.example",
                             "https://nucleus.example:8443", "https://nucleus.example.evil"})
    for (const auto* method : {"OPTIONS", "PATCH"}) {
      const auto headers = answered_to(method, origin).headers;
      EXPECT_EQ(headers.at("Vary"), "Origin");
      for (const auto& [name, value] : headers)
        EXPECT_FALSE(name.starts_with("Access-Control")) << method << " " << origin << " " << name;
    }
}

TEST(Tus, WritesDatesAsHttpDoes) {
  EXPECT_EQ(http_date(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace nucleus::image_store
