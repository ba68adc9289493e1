// The invariants of `nucleus verify`: each is broken in an otherwise sound deployment.
#include <gtest/gtest.h>

#include "operator/verify/findings.hpp"

namespace nucleus::operator_ {
namespace {

using msg::ComputesetState;
using msg::DomainState;

msg::Node node(const std::string& id, const std::string& name) {
  return {.node_id = {id}, .cluster_id = {"c"}, .project_id = {"p"}, .name = name};
}

/// Cluster c: its frontend n1 runs on h1; its compute n2 is off. Computeset 1 has finished.
Evidence sound() {
  Evidence evidence;
  evidence.clusters = {{.cluster = {.cluster_id = {"c"}, .project_id = {"p"}, .node_count = 2}}};
  std::uint32_t last = 0;
  for (const auto& one : {node("n1", "c"), node("n2", "vm-c-00")}) {
    evidence.nodes.push_back({.node = one});
    evidence.placed_nodes.push_back({.definition = one});
    evidence.volumes.push_back({.node = one, .state = image_store::VolumeState::ready});
    ++last;
    evidence.ports.push_back({.node_id = one.node_id,
                              .cluster_id = {"c"},
                              .ports = {{.mac = "52:54:00:00:00:0" + std::to_string(last),
                                         .ip = "10.0.0." + std::to_string(last),
                                         .vlan = 5}}});
  }
  auto& frontend = evidence.placed_nodes.front();
  frontend.host_id = {"h1"};
  frontend.size = {.cpus = 4, .memory_mb = 1024};
  frontend.is_grant_on = true;
  frontend.observed = DomainState::running;
  evidence.hosts = {{.host_id = {"h1"}, .cpus = 2, .memory_mb = 1024}};
  evidence.cpu_overcommit = 2;
  evidence.networks = {{.network = {.cluster_id = {"c"}, .project_id = {"p"}, .vlan = 5}}};
  evidence.vlan_quarantines = {{.vlan = 6, .until_unix_s = 1}};
  scheduler::StoredComputeset finished;
  finished.computeset = {.computeset_id = 1,
                         .cluster_id = {"c"},
                         .nodes = {{"n2"}},
                         .state = ComputesetState::completed,
                         .allocation_id = {"a"},
                         .walltime_mins = 60,
                         .start_unix_s = 1'000,
                         .end_unix_s = 1'100};
  finished.rates = {{.from_unix_s = 1'000, .cores = 4}};
  evidence.finished = {finished};
  evidence.allocations = {
      {.allocation = {.allocation_id = {"a"}, .project_id = {"p"}, .used_core_s = 400}}};
  evidence.last_event = 30;
  evidence.events = {.first = 11, .last = 30, .count = 20};
  evidence.read_hosts = {{.host_id = {"h1"},
                          .libvirt_uri = "qemu:///one",
                          .switch_folder = "/ovs",
                          .domains = {"n1"},
                          .tap_ports = {{"n00aa-000001", 5}}}};
  return evidence;
}

/// The only violation.
Violation only(const Evidence& evidence) {
  const auto found = find_violations(evidence);
  EXPECT_EQ(found.size(), 1u);
  for (const auto& one : found) SCOPED_TRACE(one.what);
  return found.empty() ? Violation{} : found.front();
}

TEST(Verify, FindsNothingInASoundDeployment) {
  const auto found = find_violations(sound());
  EXPECT_TRUE(found.empty()) << found.front().what;
}

TEST(Verify, FindsADomainOfNoNode) {
  auto evidence = sound();
  evidence.read_hosts[0].domains.insert("n9");
  EXPECT_EQ(only(evidence), (Violation{"domain n9 runs on h1, but no node has this id",
                                       "virsh -c 'qemu:///one' destroy n9"}));
}

TEST(Verify, FindsANodeThatRunsTwice) {
  auto evidence = sound();
  evidence.hosts.push_back({.host_id = {"h2"}});
  evidence.read_hosts.push_back(
      {.host_id = {"h2"}, .libvirt_uri = "qemu:///two", .domains = {"n1"}});
  EXPECT_EQ(only(evidence), (Violation{"domain n1 runs on h2, but c/c is placed on h1",
                                       "virsh -c 'qemu:///two' destroy n1"}));
}

TEST(Verify, FindsADomainWhoseNodeIsOff) {
  auto evidence = sound();
  evidence.read_hosts[0].domains.insert("n2");
  EXPECT_EQ(only(evidence).what, "domain n2 runs on h1, but c/vm-c-00 is placed nowhere");
}

TEST(Verify, FindsARunningNodeWithoutADomain) {
  auto evidence = sound();
  evidence.read_hosts[0].domains.clear();
  evidence.read_hosts[0].tap_ports.clear();
  EXPECT_EQ(only(evidence).what, "c/c is recorded as running on h1, which has no domain n1");
  evidence.placed_nodes[0].is_grant_on = false;
  EXPECT_TRUE(find_violations(evidence).empty()) << "it is being stopped";
}

TEST(Verify, FindsPortsOfNoDomainAndInAnotherVlan) {
  auto evidence = sound();
  evidence.read_hosts[0].tap_ports["n00aa-000002"] = 5;
  EXPECT_EQ(only(evidence), (Violation{"port n00aa-000002 of h1 belongs to no domain",
                                       "OVS_RUNDIR=/ovs ovs-vsctl --if-exists del-port "
                                       "n00aa-000002"}));
  evidence = sound();
  evidence.read_hosts[0].tap_ports["n00aa-000001"] = 7;
  EXPECT_EQ(only(evidence), (Violation{"port n00aa-000001 of h1 is in VLAN 7, leased is 5",
                                       "OVS_RUNDIR=/ovs ovs-vsctl set port n00aa-000001 tag=5"}));
}

TEST(Verify, FindsServicePortsThatServeNobodyAndInAnotherVlan) {
  auto evidence = sound();
  evidence.read_hosts[0].tap_ports["n00aa-s5"] = 5;
  EXPECT_TRUE(find_violations(evidence).empty());
  evidence.read_hosts[0].tap_ports["n00aa-s5"] = 7;
  EXPECT_EQ(only(evidence).what, "port n00aa-s5 of h1 is in VLAN 7");
  evidence = sound();
  evidence.read_hosts[0].tap_ports["n00aa-s7"] = 7;
  EXPECT_EQ(only(evidence), (Violation{"port n00aa-s7 of h1 serves no domain",
                                       "OVS_RUNDIR=/ovs ovs-vsctl --if-exists del-port n00aa-s7"}));
}

TEST(Verify, FindsAHostThatHoldsTooMuch) {
  auto evidence = sound();
  evidence.placed_nodes[0].size.cpus = 5;
  EXPECT_EQ(only(evidence), (Violation{"h1 has 4 CPUs and 1024 MB, its nodes hold 5 and 1024",
                                       "nucleus host drain h1"}));
  evidence.placed_nodes[0].size = {.cpus = 4, .memory_mb = 1025};
  EXPECT_EQ(only(evidence).what, "h1 has 4 CPUs and 1024 MB, its nodes hold 4 and 1025");
}

TEST(Verify, FindsAnAdapterThatIsInTwoNodes) {
  auto evidence = sound();
  auto& first = evidence.placed_nodes[0];
  first.size.adapters = 1;
  first.adapters = {{.adapter = {.pci_address = "0000:81:00.1"}}};
  EXPECT_TRUE(find_violations(evidence).empty());
  first.adapters.push_back(first.adapters.front());
  EXPECT_EQ(only(evidence).what, "c and c have the same adapter 0000:81:00.1 of h1");
}

TEST(Verify, FindsAPlacementOnAHostThatDoesNotExist) {
  auto evidence = sound();
  evidence.hosts.clear();
  EXPECT_EQ(only(evidence).what, "nodes are placed on h1, an unknown host");
}

TEST(Verify, FindsAVlanWithTwoHolders) {
  auto evidence = sound();
  evidence.vlan_quarantines[0].vlan = 5;
  EXPECT_EQ(only(evidence).what, "VLAN 5 is leased to the quarantine and cluster c");
  evidence = sound();
  evidence.clusters.push_back({.cluster = {.cluster_id = {"d"}}});
  evidence.networks.push_back({.network = {.cluster_id = {"d"}, .vlan = 5}});
  EXPECT_EQ(only(evidence).what, "VLAN 5 is leased to cluster c and cluster d");
}

TEST(Verify, FindsANetworkOfNoCluster) {
  auto evidence = sound();
  evidence.networks.push_back({.network = {.cluster_id = {"gone"}, .vlan = 9}});
  EXPECT_EQ(only(evidence).what, "cluster gone has a network and does not exist");
}

TEST(Verify, FindsAnAddressThatIsLeasedTwice) {
  auto evidence = sound();
  evidence.ports[1].ports[0].mac = evidence.ports[0].ports[0].mac;
  evidence.read_hosts.clear();
  EXPECT_EQ(only(evidence).what, "MAC 52:54:00:00:00:01 is leased to nodes n1 and n2");
  evidence = sound();
  evidence.ports[1].ports[0].ip = "10.0.0.1";
  EXPECT_EQ(only(evidence).what, "address 10.0.0.1 (c) is leased to nodes n1 and n2");
  evidence.ports[1].cluster_id = {"d"};
  EXPECT_TRUE(find_violations(evidence).empty()) << "another cluster has the same addresses";
}

TEST(Verify, FindsDefinitionsThatDiffer) {
  auto evidence = sound();
  evidence.volumes.pop_back();
  EXPECT_EQ(only(evidence).what, "c/vm-c-00 has no volume");
  evidence = sound();
  evidence.placed_nodes.push_back({.definition = node("n3", "vm-c-01")});
  EXPECT_EQ(only(evidence).what,
            "record of the scheduler of node n3: the registry has no such node");
  evidence.placed_nodes.back().is_removed = true;
  EXPECT_TRUE(find_violations(evidence).empty()) << "it is being stopped";
}

TEST(Verify, FindsANodeInTwoComputesetsOrInNone) {
  auto evidence = sound();
  scheduler::StoredComputeset running;
  running.computeset = {.computeset_id = 2, .nodes = {{"n2"}}, .state = ComputesetState::running};
  evidence.computesets = {running};
  evidence.placed_nodes[1].computeset_id = 2;
  EXPECT_TRUE(find_violations(evidence).empty());
  evidence.placed_nodes[1].computeset_id = 3;
  EXPECT_EQ(only(evidence).what, "c/vm-c-00 is held by computeset 3, which does not have it");
  evidence.placed_nodes[1].computeset_id = 2;
  running.computeset.computeset_id = 4;
  evidence.computesets.push_back(running);
  EXPECT_EQ(only(evidence).what, "node n2 is in computesets 2 and 4");
}

/// Computeset 2 runs with n2 on h1, which job 7 holds.
Evidence with_job() {
  auto evidence = sound();
  evidence.has_batch_system = true;
  evidence.jobs = {
      {.job_id = "7", .computeset_id = 2, .state = scheduler::JobState::ready, .hosts = {{"h1"}}}};
  evidence.computesets.push_back({.computeset = {.computeset_id = 2,
                                                 .cluster_id = {"c"},
                                                 .nodes = {{"n2"}},
                                                 .state = ComputesetState::running,
                                                 .batch_job = "7"}});
  evidence.placed_nodes[1].computeset_id = 2;
  evidence.placed_nodes[1].host_id = {"h1"};
  return evidence;
}

TEST(Verify, FindsABatchJobOfNoComputeset) {
  auto evidence = with_job();
  EXPECT_EQ(find_violations(evidence), std::vector<Violation>{});
  evidence.jobs.push_back(
      {.job_id = "8", .computeset_id = 1, .state = scheduler::JobState::pending});
  evidence.jobs.push_back({.job_id = "6", .computeset_id = 1, .state = scheduler::JobState::ended});
  const std::vector<Violation> expected{
      {"batch job 8 is of computeset 1, which does not have it", "scancel 8"}};
  EXPECT_EQ(find_violations(evidence), expected);
}

TEST(Verify, FindsAComputesetWithoutItsBatchJobOrItsHosts) {
  auto evidence = with_job();
  evidence.jobs[0].hosts = {{"h2"}};
  const std::vector<Violation> elsewhere{
      {"c/vm-c-00 is placed on h1, which is not a host of its batch job 7", ""}};
  EXPECT_EQ(find_violations(evidence), elsewhere);
  evidence.jobs[0].state = scheduler::JobState::ended;
  const std::vector<Violation> ended{{"computeset 2 runs, but its batch job 7 does not", ""}};
  EXPECT_EQ(find_violations(evidence), ended);
}

TEST(Verify, FindsAChargeThatIsNotTheUse) {
  auto evidence = sound();
  evidence.finished[0].computeset.end_unix_s = 1'101;
  EXPECT_EQ(only(evidence).what,
            "allocation a was charged 400 core seconds, its finished computesets used 404");
  evidence.finished[0].computeset.state = ComputesetState::cancelled;
  EXPECT_EQ(only(evidence).what,
            "allocation a was charged 400 core seconds, its finished computesets used 0");
}

TEST(Verify, FindsMissingEvents) {
  auto evidence = sound();
  evidence.events.count = 19;
  EXPECT_EQ(only(evidence).what, "events 11 to 30 are 19 only");
  evidence = sound();
  evidence.last_event = 31;
  EXPECT_EQ(only(evidence).what, "31 events were counted, the newest that is stored is 30");
}

}  // namespace
}  // namespace nucleus::operator_
