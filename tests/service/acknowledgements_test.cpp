// The acknowledgement of responsibility: who signs it, and that the scheduler powers nothing on
// before. Registry and scheduler on a real bus and Redis.
#include <gtest/gtest.h>

#include "services/registry/service.hpp"
#include "services/scheduler/service.hpp"
#include "tests/support/clusters.hpp"
#include "tests/support/process.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using Built = core::Result<std::shared_ptr<void>>;

class Acknowledgements : public testing::Test {
 protected:
  Acknowledgements() {
    must(msg::DefineProject{{"physics"}});
    add("ada", msg::Role::pi);
    add("bob", msg::Role::cluster_admin);
    add("tim", msg::Role::trainer);
    must(msg::DefineCluster{.cluster_id = {"c"}, .project_id = {"physics"}, .compute_count = 1});
    frontend = frontend_of("c");
  }
  msg::NodeId frontend_of(const std::string& cluster) {
    const msg::ListNodes request{.viewer = as_operator, .cluster_id = {cluster}, .name = cluster};
    return must(request).nodes.at(0).node_id;
  }
  void add(const std::string& name, msg::Role role) {
    must(msg::DefinePerson{{.person_id = {name}, .role = role, .projects = {{"physics"}}}});
  }
  template <class Request>
  typename Request::Reply must(const Request& request) {
    auto reply = caller.call(request, {.deadline = wait_timeout});
    EXPECT_TRUE(reply) << Request::topic << ": " << reply.error().detail;
    return reply.value_or(typename Request::Reply{});
  }
  template <class Request>
  ErrorCode refused(const Request& request) {
    const auto reply = caller.call(request, {.deadline = wait_timeout});
    return reply ? ErrorCode::unknown : reply.error().code;
  }
  msg::SignAcknowledgement sign(const std::string& name, std::uint32_t version) {
    return {.person_id = {name}, .project_id = {"physics"}, .version = version};
  }
  /// Whether the frontend may be powered on; waits until it is as expected, or the timeout.
  bool is_power_allowed(bool expected) {
    const auto end = std::chrono::steady_clock::now() + wait_timeout;
    bool is = !expected;
    while (is != expected && std::chrono::steady_clock::now() < end)
      is = refused(msg::PowerNode{.node = {.node_id = frontend},
                                  .viewer = as_operator,
                                  .action = msg::PowerAction::poweron}) == ErrorCode::unknown;
    return is;
  }

  Deployment deployment = {};
  Process registry{deployment, "registry", {}, [](core::Runtime& runtime) -> Built {
                     return std::make_shared<registry::Service>(runtime, registry::Config{});
                   }};
  Process scheduler{deployment, "scheduler", {}, [](core::Runtime& runtime) -> Built {
                      return std::make_shared<scheduler::Service>(runtime, scheduler::Config{});
                    }};
  Process caller{deployment, "caller"};
  msg::NodeId frontend = {};
};

TEST_F(Acknowledgements, NothingHasToBeSignedWithoutAText) {
  const auto status = must(msg::GetAcknowledgements{{"physics"}});
  EXPECT_TRUE(status.is_acknowledged);
  EXPECT_EQ(status.text.version, 0U);
  EXPECT_TRUE(is_power_allowed(true));
}

TEST_F(Acknowledgements, NodesStayOffUntilAPiAndAnAdminHaveSignedTheCurrentText) {
  EXPECT_TRUE(is_power_allowed(true));
  EXPECT_EQ(must(msg::SetAcknowledgementText{.text = "I answer for it."}).version, 1U);
  EXPECT_FALSE(is_power_allowed(false));
  EXPECT_EQ(refused(sign("tim", 1)), ErrorCode::forbidden);
  EXPECT_EQ(refused(sign("ada", 2)), ErrorCode::conflict);
  const auto record = must(sign("ada", 1));
  EXPECT_EQ(record.role, msg::Role::pi);
  EXPECT_EQ(record.text_sha256.size(), 64U);
  EXPECT_GT(record.signed_unix_s, 0);
  EXPECT_EQ(must(sign("ada", 1)), record);
  EXPECT_EQ(must(msg::GetAcknowledgements{{"physics"}}).missing, "a cluster admin");
  EXPECT_FALSE(is_power_allowed(false));
  must(sign("bob", 1));
  EXPECT_TRUE(must(msg::GetAcknowledgements{{"physics"}}).is_acknowledged);
  EXPECT_TRUE(is_power_allowed(true));

  // A new text has to be signed again; earlier signatures are kept.
  EXPECT_EQ(must(msg::SetAcknowledgementText{.text = "I answer for all of it."}).version, 2U);
  EXPECT_FALSE(is_power_allowed(false));
  EXPECT_EQ(must(msg::GetAcknowledgements{{"physics"}}).acknowledgements.size(), 2U);
  must(msg::SetAcknowledgementText{.text = "I answer for all of it.", .is_required = false});
  EXPECT_TRUE(is_power_allowed(true));
}

TEST_F(Acknowledgements, ASignatureIsKeptAfterItsPersonIsRemoved) {
  must(msg::SetAcknowledgementText{.text = "I answer for it."});
  must(sign("ada", 1));
  must(sign("bob", 1));
  must(msg::RemovePerson{{"ada"}});
  const auto status = must(msg::GetAcknowledgements{{"physics"}});
  EXPECT_TRUE(status.is_acknowledged);
  EXPECT_EQ(status.acknowledgements.size(), 2U);
  EXPECT_EQ(refused(sign("bob", 7)), ErrorCode::conflict);
  EXPECT_EQ(refused(msg::SignAcknowledgement{
                .person_id = {"bob"}, .project_id = {"biology"}, .version = 1}),
            ErrorCode::not_found);
}

TEST_F(Acknowledgements, ANewProjectsNodesStayOffUntilItIsSigned) {
  must(msg::SetAcknowledgementText{.text = "I answer for it."});
  must(msg::DefineProject{{"biology"}});
  must(msg::DefineCluster{.cluster_id = {"d"}, .project_id = {"biology"}});
  frontend = frontend_of("d");
  EXPECT_FALSE(is_power_allowed(false));
}

}  // namespace
}  // namespace nucleus::tests
