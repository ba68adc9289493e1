// Plans about hosts.
#include "services/scheduler/plan/hosts.hpp"

#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

TEST(Drain, KeepsTheReasonOfADrainedHostUnlessANewOneIsGiven) {
  SmallDeployment small;
  small.add_host("h1", 4);
  const auto reason_after = [&](bool is_drained, const std::string& reason) {
    small.apply(*plan_drain(small.view,
                            {.host_id = {"h1"}, .is_drained = is_drained, .reason = reason},
                            small.now_unix_ms));
    return small.view.host({"h1"})->drain_reason;
  };
  EXPECT_EQ(reason_after(true, "new memory"), "new memory");
  EXPECT_EQ(reason_after(true, ""), "new memory");
  EXPECT_EQ(reason_after(true, "new fan"), "new fan");
  EXPECT_EQ(reason_after(false, ""), "");
  EXPECT_EQ(reason_after(true, ""), "");
}

TEST(HostReport, OfAnotherMachineIsRefusedUntilTheHostIsLostOrRemoved) {
  SmallDeployment small;
  const auto report = [](const std::string& machine) {
    return msg::ReportHost{
        .host_id = {"h1"}, .process = "provisioner/h1", .cpus = 4, .machine_id = machine};
  };
  EXPECT_FALSE(is_of_another_machine(small.view, report("two"))) << "the host is new";
  small.apply(plan_host_report(small.view, report(""), small.now_unix_ms));
  EXPECT_FALSE(is_of_another_machine(small.view, report("one"))) << "of an earlier release";
  small.apply(plan_host_report(small.view, report("one"), small.now_unix_ms));
  EXPECT_FALSE(is_of_another_machine(small.view, report("one")));
  EXPECT_TRUE(is_of_another_machine(small.view, report("two")));
  EXPECT_TRUE(is_of_another_machine(small.view, report("")));
  const Heartbeats::Overdue silent{.silent = {{"h1"}}};
  small.apply(plan_overdue_hosts(small.view, silent, small.now_unix_ms));
  EXPECT_TRUE(is_of_another_machine(small.view, report("two"))) << "its nodes may still run";
  const Heartbeats::Overdue expired{.expired = {{"h1"}}};
  small.apply(plan_overdue_hosts(small.view, expired, small.now_unix_ms));
  EXPECT_FALSE(is_of_another_machine(small.view, report("two")));
  small.apply(plan_host_report(small.view, report("two"), small.now_unix_ms));
  EXPECT_TRUE(is_of_another_machine(small.view, report("one"))) << "it comes back too late";
}

TEST(RemoveHost, IsRefusedWhileTheHostReportsItselfOrHasNodes) {
  SmallDeployment small;
  small.add_host("h1", 4);
  const auto remove = [&](const std::string& id) {
    return plan_remove_host(small.view, {.host_id = {id}}, small.now_unix_ms);
  };
  EXPECT_EQ(remove("h2").error().code, core::ErrorCode::not_found);
  EXPECT_EQ(remove("h1").error().code, core::ErrorCode::conflict);
  small.add_cluster("c", 1);
  small.start("c", 1);
  EXPECT_EQ(remove("h1").error().code, core::ErrorCode::wrong_state);
  small.observe("c-1", msg::DomainState::shutoff);
  const Heartbeats::Overdue silent{.silent = {{"h1"}}};
  small.apply(plan_overdue_hosts(small.view, silent, small.now_unix_ms));
  auto removed = remove("h1");
  ASSERT_TRUE(removed);
  small.apply(std::move(*removed));
  EXPECT_FALSE(small.view.host({"h1"}));
  EXPECT_FALSE(small.view.reporter("provisioner/h1")) << "its log may begin again";
  EXPECT_TRUE(small.view.check().empty());
}

}  // namespace
}  // namespace nucleus::scheduler
