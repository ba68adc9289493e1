// A provisioner's reports: none is lost or repeated, whatever is restarted or restored.
#include "tests/service/provisioner_room.hpp"

namespace nucleus::tests {
namespace {

class ProvisionerReports : public ProvisionerRoom {
 protected:
  std::string state_file() const { return deployment_.host_file("provisioner/h1/state.db"); }
  bool is_acknowledged(std::uint64_t number) {
    return eventually([&] { return last_report().reported == number; });
  }
};

TEST_F(ProvisionerReports, ArriveInOrderAfterTheSchedulerWasAwayAndTheProvisionerKilled) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  ASSERT_TRUE(is_acknowledged(1));
  lease_ms_ = 0;
  ASSERT_TRUE(apply({a_grant("n2")}));
  ASSERT_TRUE(eventually([&] { return runs("n2"); }));
  hypervisor_->crash(domain("n1"));
  ASSERT_TRUE(eventually([&] {
    return service_->on_loop([&] {
      std::size_t waiting = 0;
      service_->store().for_each<provisioner::StoredReport>(
          provisioner::keys::reports(), [&](const provisioner::StoredReport&) { ++waiting; });
      return waiting == 2;
    });
  }));
  start();
  lease_ms_ = 3'600'000;
  ASSERT_TRUE(reported("n1", DomainState::crashed));
  ASSERT_TRUE(is_acknowledged(3));
  const auto all = domains_.all();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].node_id.value, "n2");
  EXPECT_EQ(all[2].state, DomainState::crashed);
  EXPECT_EQ(domains_.logs().size(), 1U);
}

TEST_F(ProvisionerReports, BeginAgainWhenTheSchedulerHasLostThem) {
  start();
  ASSERT_TRUE(apply({a_grant("n1"), a_grant("n2")}));
  ASSERT_TRUE(is_acknowledged(2));
  const auto first_log = last_report().log_id;
  domains_.lose_all();
  ASSERT_TRUE(eventually([&] { return domains_.all().size() == 4; }));
  EXPECT_TRUE(reported("n1", DomainState::running));
  EXPECT_TRUE(eventually([&] {
    const auto report = last_report();
    return report.log_id != first_log && report.reported == 2;
  }));
}

TEST_F(ProvisionerReports, BeginAgainWhenTheFileIsOlderThanWhatTheSchedulerKnows) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(is_acknowledged(1));
  service_.reset();
  std::filesystem::copy_file(state_file(), state_file() + ".old");
  start();
  ASSERT_TRUE(apply({a_grant("n2"), a_grant("n3")}));
  ASSERT_TRUE(is_acknowledged(3));
  service_.reset();
  std::filesystem::rename(state_file() + ".old", state_file());
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(state_file() + suffix);
  hypervisor_->crash(domain("n1"));
  start();
  ASSERT_TRUE(reported("n1", DomainState::shutoff));
  EXPECT_TRUE(eventually([&] { return domains_.logs().size() == 2; }));
}

}  // namespace
}  // namespace nucleus::tests
