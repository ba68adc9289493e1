// Join files that a head in containers writes.
#include "operator/join_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/bus/curve.hpp"
#include "core/tls/certificate.hpp"
#include "operator/keys.hpp"
#include "services/bus/rights.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::operator_ {
namespace {

/// The operator's folder, as compose mounts it: with the bus's rights, and the bus's addresses.
class JoinFile : public testing::Test {
 protected:
  void SetUp() override {
    make_again({});
    std::filesystem::create_directory_symlink(folder.file("bus/rights"), state.file("rights"));
    auto settings = *read_text_map(state.file("settings.yaml"));
    settings["bus.requests_url"] = "tcp://bus:5570";
    settings["bus.events_url"] = "tcp://bus:5571";
    ASSERT_TRUE(write_text_map(state.file("settings.yaml"), settings));
  }

  void make_again(const std::vector<std::string>& addresses) {
    const auto made =
        make_keys(folder.path(), {},
                  {.console = "console:5572", .image_store = "store:5573", .others = addresses});
    ASSERT_TRUE(made) << made.error().detail;
  }

  core::CertificateFacts facts(const std::string& service, const std::string& host) {
    const auto certificate =
        core::Certificate::open({.certificate = folder.file(service + "/head.pem"),
                                 .key = folder.file(service + "/head.key")});
    return certificate ? (*certificate)->facts(host) : core::CertificateFacts{};
  }

  tests::TemporaryFolder folder = {};
  const StateDirectory state{folder.file("operator")};
};

TEST_F(JoinFile, HasTheHeadAsTheOperatorReachesItAndANewPairOfTheHost) {
  const auto head = find_head_entries(state);
  ASSERT_TRUE(head) << head.error().detail;
  const auto file = add_host_key(state, find_known_keys(state), *head, "host-1");
  ASSERT_TRUE(file) << file.error().detail;
  EXPECT_EQ(file->at("host_id"), "host-1");
  EXPECT_EQ(file->at("bus.requests_url"), "tcp://bus:5570");
  EXPECT_EQ(file->at("bus.events_url"), "tcp://bus:5571");
  EXPECT_EQ(file->at("console_address"), "console:5572");
  EXPECT_EQ(file->at("image_store_url"), "https://store:5573");
  EXPECT_EQ(file->at("ca"), *read_file(folder.file("tls/ca.pem")));
  EXPECT_EQ(
      file->at("bus.server_key"),
      core::public_key_of(read_text_map(folder.file("bus/settings.yaml"))->at("bus.curve_secret")));
  EXPECT_EQ(core::public_key_of(file->at("bus.secret_key")), file->at("bus.public_key"));
  const auto rights = bus::find_rights(folder.file("bus/rights"), file->at("bus.public_key"));
  EXPECT_EQ(rights.name, "provisioner/host-1");
  EXPECT_EQ(rights.calls, host_rights("host-1").calls);
  const auto known = find_known_keys(state);
  EXPECT_TRUE(has_host_key(known, "host-1"));
  EXPECT_TRUE(revoke_host_key(known, "host-1"));
  EXPECT_FALSE(revoke_host_key(known, "host-1")) << "it is revoked already";
  EXPECT_FALSE(has_host_key(find_known_keys(state), "host-1"));
}

TEST_F(JoinFile, MayHaveAnotherAddressOfTheHead) {
  auto head = *find_head_entries(state);
  ASSERT_TRUE(set_head_address(state, head, "192.0.2.7"));
  EXPECT_EQ(head["bus.requests_url"], "tcp://192.0.2.7:5570");
  EXPECT_EQ(head["bus.events_url"], "tcp://192.0.2.7:5571");
  EXPECT_EQ(head["console_address"], "192.0.2.7:5572");
  EXPECT_EQ(head["image_store_url"], "https://192.0.2.7:5573");
  for (const char* address : {"192.0.2.8:5570", "tcp://192.0.2.8", "head.example.org", "::1", ""})
    EXPECT_EQ(set_head_address(state, head, address).error().field, "head-address") << address;
  EXPECT_EQ(head["image_store_url"], "https://192.0.2.7:5573");
}

TEST_F(JoinFile, IsWrittenOnTheHeadOnly) {
  std::filesystem::remove(state.file("rights"));
  EXPECT_EQ(find_head_entries(state).error().code, core::ErrorCode::not_found);
  std::filesystem::remove(state.file("settings.yaml"));
  EXPECT_EQ(find_head_entries(state).error().code, core::ErrorCode::not_found);
}

TEST_F(JoinFile, CertificatesAreOfEachServiceAndMadeAgainForAnotherAddressOnly) {
  EXPECT_TRUE(facts("console", "console").is_for_host);
  EXPECT_FALSE(facts("console", "store").is_for_host);
  EXPECT_TRUE(facts("image_store", "store").is_for_host);
  EXPECT_FALSE(facts("image_store", "192.0.2.7").is_for_host);
  const auto ca = read_file(folder.file("tls/ca.pem"));
  const auto first = read_file(folder.file("console/head.key"));
  make_again({});
  EXPECT_EQ(read_file(folder.file("console/head.key")), first);
  make_again({"192.0.2.7"});
  for (const char* host : {"console", "192.0.2.7"})
    EXPECT_TRUE(facts("console", host).is_for_host) << host;
  EXPECT_NE(read_file(folder.file("console/head.key")), first);
  EXPECT_EQ(read_file(folder.file("tls/ca.pem")), ca);
}

TEST_F(JoinFile, PlacesOfTheHeadHavePorts) {
  for (const char* place : {"console", "console:", "console:70000", ":5572", "a b:1"})
    EXPECT_EQ(
        make_keys(folder.path(), {}, {.console = place, .image_store = "store:1"}).error().field,
        "console")
        << place;
}

}  // namespace
}  // namespace nucleus::operator_
