// Runs one seed: builds a random deployment, sends random requests, and injects faults between any
// two steps. Then the faults end, the deployment settles and is checked; then everything is removed
// and checked again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/sim/deployment.hpp"

namespace nucleus::tests {

struct SimOutcome {
  std::uint64_t seed = 0;
  std::uint64_t steps = 0;
  std::uint64_t events = 0;
  std::int64_t virtual_s = 0;
  std::uint64_t digest = 0;                          // of all events; equal for equal runs
  std::map<std::string, std::uint64_t> counts = {};  // requests and faults, by outcome
  std::vector<std::string> broken = {};              // violations; empty = none
};

class SimRun {
 public:
  explicit SimRun(std::uint64_t seed, int operation_count = 60);
  SimOutcome run();
  std::int64_t now_ms() const { return deployment_.world.now_ms(); }

 private:
  /// A fault that ends by itself.
  struct Disturbance {
    std::int64_t until_ms;
    std::function<void()> end;
  };
  struct Profile {
    bool has_kills = false;
    bool has_cuts = false;  // of hosts from all others
    bool has_redis_outages = false;
    bool has_hangs = false;  // of hypervisors
    bool has_power_cuts = false;
    bool has_crashes = false;   // of domains
    bool has_refusals = false;  // of hosts without space
    bool has_domains_by_hand = false;
    bool has_takeovers = false;
  };

  void draw_profile();
  void after_step();
  void disturb();
  void kill(const std::string& name, std::int64_t away_ms);
  void disturb_host(std::size_t host, std::int64_t for_ms);
  void end_disturbances(bool is_all);
  void act();
  void act_on_cluster();
  void act_on_computeset();
  void act_on_memory(const msg::Computeset& computeset);
  void act_on_size(const msg::Computeset& computeset);
  void act_on_node();
  void act_on_disk(const msg::NodeId& node);
  void act_on_others();
  void act_on_reservation();
  template <class Request>
  void ask(const Request& request, std::function<void(const typename Request::Reply&)> took = {});
  template <class Request>
  bool must(const Request& request);
  void wait_for_answers();
  void settle(const std::function<std::vector<std::string>()>& check);
  void remove_everything();
  std::uint64_t pick(std::uint64_t most) { return deployment_.world.pick(most); }
  bool happens(unsigned per_thousand) { return deployment_.world.happens(per_thousand); }
  std::optional<msg::NodeId> some_node(msg::NodeKind kind);
  msg::ClusterId cluster_of(const msg::NodeId& node_id) const;
  std::uint64_t digest() const;

  SimOutcome outcome_ = {};
  const int operation_count_;
  SimDeployment deployment_;
  Profile profile_ = {};
  SimFaults world_faults_ = {};
  std::uint64_t next_disturbance_ = 0;  // step
  std::vector<Disturbance> disturbances_ = {};
  bool is_disturbing_ = false;
  int open_calls_ = 0;
  std::uint64_t computesets_accepted_ = 0;
  std::uint64_t computesets_unknown_ = 0;  // requested and never answered
};

}  // namespace nucleus::tests
