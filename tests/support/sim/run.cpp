#include "tests/support/sim/run.hpp"

#include <fmt/format.h>

#include <exception>

#include "messages/hibernation.hpp"
#include "messages/reservations.hpp"
#include "services/scheduler/keys.hpp"
#include "tests/support/clusters.hpp"

namespace nucleus::tests {

namespace {

using core::Milliseconds;

constexpr std::int64_t call_deadline_ms = 30'000;
constexpr std::uint64_t clusters_max = 4;
constexpr int settle_s_max = 60;
// The supervisor restarts a provisioner within the margin of a host's lease.
constexpr std::int64_t provisioner_away_ms_max = 1'500;
constexpr std::uint64_t projects_max = 2;

/// Random sizes: small pools, one provisioner or many, short and long leases.
SimShape draw_shape(std::uint64_t seed) {
  std::mt19937_64 random(seed * 2 + 1);
  const auto pick = [&](std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>{0, most}(random);
  };
  return {.host_count = 1 + pick(3),
          .is_one_provisioner = pick(4) == 0,
          .host_cpus = static_cast<std::uint32_t>(2 + pick(6)),
          .host_memory_mb = 1024 * (1 + pick(3)),
          .cpu_overcommit = static_cast<std::int64_t>(1 + pick(1)),
          .host_lease_ms = static_cast<std::int64_t>(8'000 + pick(20'000)),
          .shutdown_ms = static_cast<std::int64_t>(2'000 + pick(10'000)),
          .vlan_count = static_cast<std::uint32_t>(2 + pick(5)),
          .vlan_quarantine_s = static_cast<std::int64_t>(pick(40)),
          .clock_skew_ms = pick(1) == 0 ? 0 : 3'600'000};
}

}  // namespace

SimRun::SimRun(std::uint64_t seed, int operation_count)
    : operation_count_{operation_count}, deployment_{seed, draw_shape(seed)} {
  outcome_.seed = seed;
  deployment_.world.on_stepped = [this] { after_step(); };
}

SimOutcome SimRun::run() {
  auto& world = deployment_.world;
  auto& invariants = deployment_.invariants;
  try {
    draw_profile();
    world.run_for(std::chrono::seconds{3});
    for (std::uint64_t i = 0; i < projects_max; ++i)
      if (!must(msg::DefineProject{{"p" + std::to_string(i)}})) break;
    is_disturbing_ = true;
    world.faults = world_faults_;
    next_disturbance_ = world.steps() + pick(2000);
    for (int i = 0; i < operation_count_ && invariants.broken().empty(); ++i) {
      if (i < 4)
        act_on_cluster();
      else
        act();
      const bool is_long = happens(50);
      world.run_for(Milliseconds{static_cast<std::int64_t>(pick(is_long ? 90'000 : 3'000))});
    }
    is_disturbing_ = false;
    world.faults = {};
    end_disturbances(true);
    wait_for_answers();
    const std::int64_t lease_ms = deployment_.shape().host_lease_ms;
    world.run_for(Milliseconds{3 * lease_ms + 60'000});
    if (invariants.broken().empty()) settle([&] { return invariants.check_settled(); });
    if (invariants.broken().empty()) remove_everything();
  } catch (const std::exception& fault) {
    invariants.fail(std::string("an exception: ") + fault.what());
  }
  const auto computesets = deployment_.invariants.computesets().all().size();
  if (invariants.broken().empty() && (computesets < computesets_accepted_ ||
                                      computesets > computesets_accepted_ + computesets_unknown_))
    invariants.fail(fmt::format("{} computesets for {} accepted requests and {} unanswered ones",
                                computesets, computesets_accepted_, computesets_unknown_));
  outcome_.steps = world.steps();
  outcome_.events = world.events().size();
  outcome_.virtual_s = world.now_ms() / 1000;
  outcome_.broken = invariants.broken();
  outcome_.digest = digest();
  return outcome_;
}

/// Chooses the kinds of faults of this seed: none, one or all.
void SimRun::draw_profile() {
  const auto often = [this] { return pick(2) == 0; };
  if (pick(9) == 0) return;  // no faults, for comparison
  profile_ = {.has_kills = often() || often(),
              .has_cuts = often(),
              .has_redis_outages = pick(3) == 0,
              .has_hangs = often(),
              .has_power_cuts = pick(3) == 0,
              .has_crashes = often(),
              .has_refusals = often(),
              .has_domains_by_hand = often(),
              .has_takeovers = pick(4) == 0};
  const auto chance = [&](std::uint64_t most) {
    return often() ? static_cast<unsigned>(pick(most)) : 0U;
  };
  world_faults_ = {.message_lost = chance(60),
                   .message_repeated = chance(60),
                   .message_late = chance(30),
                   .commit_lost = chance(8),
                   .answer_lost = chance(8),
                   .message_ms_max = static_cast<unsigned>(1 + pick(50)),
                   .commit_ms_max = static_cast<unsigned>(1 + pick(30)),
                   .work_ms_max = static_cast<unsigned>(1 + pick(500))};
  for (std::size_t i = 0; i < deployment_.host_processes().size(); ++i)
    deployment_.hypervisor(i).faults = {.fails_before = chance(100), .fails_after = chance(100)};
}

void SimRun::after_step() {
  deployment_.end_fenced();
  deployment_.check_views();
  if (!is_disturbing_) return;
  end_disturbances(false);
  if (deployment_.world.steps() < next_disturbance_) return;
  next_disturbance_ = deployment_.world.steps() + pick(3000);
  disturb();
}

void SimRun::disturb() {
  auto& world = deployment_.world;
  auto for_ms = static_cast<std::int64_t>(happens(200) ? pick(90'000) : pick(6'000));
  const std::string name = deployment_.names()[pick(deployment_.names().size() - 1)];
  switch (pick(9)) {
    case 0:
    case 1:
    case 2:
      if (!profile_.has_kills) return;
      if (name.starts_with("provisioner/")) for_ms = std::min(for_ms, provisioner_away_ms_max);
      return kill(name, happens(700) ? 0 : for_ms);
    case 3:
      if (!profile_.has_redis_outages) return;
      ++outcome_.counts["redis outages"];
      world.take_redis_away(true);
      disturbances_.push_back(
          {world.now_ms() + for_ms / 4, [&world] { world.take_redis_away(false); }});
      return;
    case 4:
      if (!profile_.has_takeovers || name.starts_with("provisioner/")) return;
      ++outcome_.counts["takeovers"];
      deployment_.take_over(name);
      disturbances_.push_back({world.now_ms() + for_ms, [this] { deployment_.resume_all(); }});
      return;
    default:
      disturb_host(pick(deployment_.host_processes().size() - 1), for_ms);
  }
}

/// Kills a process that is started again after `away_ms`.
void SimRun::kill(const std::string& name, std::int64_t away_ms) {
  ++outcome_.counts["kills"];
  deployment_.kill(name);
  disturbances_.push_back({deployment_.world.now_ms() + away_ms, [this, name] {
                             if (!deployment_.is_running(name)) deployment_.start(name);
                           }});
}

void SimRun::disturb_host(std::size_t host, std::int64_t for_ms) {
  auto& world = deployment_.world;
  auto& hypervisor = deployment_.hypervisor(host);
  const std::string process = deployment_.process_of(host);
  switch (pick(6)) {
    case 0:
      // A disconnected host whose hypervisor hangs cannot be stopped.
      if (!profile_.has_cuts || !hypervisor.ping()) return;
      ++outcome_.counts["hosts cut off"];
      world.cut_off(process, true);
      disturbances_.push_back(
          {world.now_ms() + for_ms, [&world, process] { world.cut_off(process, false); }});
      // If it restarts now, it knows only from the stored lease when to stop its domains.
      if (profile_.has_kills && happens(400)) kill(process, provisioner_away_ms_max);
      return;
    case 1:
      if (!profile_.has_hangs || world.is_cut_off(process)) return;
      ++outcome_.counts["hypervisors hung"];
      hypervisor.fake().hang();
      disturbances_.push_back(
          {world.now_ms() + for_ms, [&hypervisor] { hypervisor.fake().resume(); }});
      return;
    case 2:
      if (!profile_.has_power_cuts) return;
      ++outcome_.counts["hosts without power"];
      deployment_.cut_power(host);
      disturbances_.push_back({world.now_ms() + for_ms, [this, process] {
                                 if (!deployment_.is_running(process)) deployment_.start(process);
                               }});
      return;
    case 3:
      if (!profile_.has_refusals) return;
      ++outcome_.counts["hosts without space"];
      hypervisor.faults.refuses_creates = true;
      disturbances_.push_back(
          {world.now_ms() + for_ms, [&hypervisor] { hypervisor.faults.refuses_creates = false; }});
      return;
    case 4:
      if (!profile_.has_domains_by_hand) return;
      ++outcome_.counts["domains started by hand"];
      return hypervisor.start_by_hand("h" + std::to_string(host));
    default: {
      if (!profile_.has_crashes) return;
      const auto running = hypervisor.running();
      if (running.empty()) return;
      const auto victim = std::next(running.begin(), static_cast<long>(pick(running.size() - 1)));
      ++outcome_.counts["domains ended by themselves"];
      if (happens(500))
        hypervisor.fake().crash(victim->first);
      else
        hypervisor.fake().power_off(victim->first);
      hypervisor.fake().ignore_shutdowns(happens(300));
    }
  }
}

void SimRun::end_disturbances(bool is_all) {
  if (disturbances_.empty()) return;
  const std::int64_t now_ms = deployment_.world.now_ms();
  std::vector<Disturbance> over;
  std::erase_if(disturbances_, [&](Disturbance& one) {
    if (!is_all && one.until_ms > now_ms) return false;
    over.push_back(std::move(one));
    return true;
  });
  for (const auto& one : over) one.end();
  if (!is_all) return;
  for (std::size_t i = 0; i < deployment_.host_processes().size(); ++i) {
    deployment_.hypervisor(i).faults = {};
    deployment_.hypervisor(i).fake().ignore_shutdowns(false);
  }
  for (const auto& name : deployment_.names())
    if (!deployment_.is_running(name)) deployment_.start(name);
}

/// Calls without waiting; the answer is counted.
template <class Request>
void SimRun::ask(const Request& request, std::function<void(const typename Request::Reply&)> took) {
  const std::string verb{Request::topic};
  ++open_calls_;
  auto answers = std::make_shared<int>(0);
  deployment_.admin.bus().call<Request>(
      request, {.deadline = Milliseconds{call_deadline_ms}},
      [this, verb, took = std::move(took), answers](const auto& reply) {
        if (++*answers > 1) deployment_.invariants.fail(verb + " was answered twice");
        --open_calls_;
        const std::string code{reply ? "yes" : msg::name_of(reply.error().code)};
        ++outcome_.counts[verb + ": " + code];
        if (!reply && reply.error().code == core::ErrorCode::internal)
          deployment_.invariants.fail(verb +
                                      " failed with an internal error: " + reply.error().detail);
        if constexpr (std::same_as<Request, msg::StartComputeset>) {
          if (reply) ++computesets_accepted_;
          if (!reply && reply.error().code == core::ErrorCode::deadline_exceeded)
            ++computesets_unknown_;
        }
        if (reply && took) took(*reply);
      });
}

/// Calls without faults and returns the answer.
template <class Request>
bool SimRun::must(const Request& request) {
  const auto reply = deployment_.admin.call(request);
  if (!reply)
    deployment_.invariants.fail(std::string(Request::topic) +
                                " is refused without faults: " + reply.error().detail);
  return reply.has_value();
}

/// Allows some time to settle, because a walltime may end at any time.
void SimRun::settle(const std::function<std::vector<std::string>()>& check) {
  std::vector<std::string> unsettled = check();
  for (int second = 0; second < settle_s_max && !unsettled.empty(); ++second) {
    deployment_.world.run_for(std::chrono::seconds{1});
    unsettled = check();
  }
  deployment_.invariants.keep(unsettled);
}

void SimRun::wait_for_answers() {
  deployment_.world.run_until([this] { return open_calls_ == 0; },
                              Milliseconds{2 * call_deadline_ms});
  if (open_calls_ > 0)
    deployment_.invariants.fail(fmt::format("{} calls got no reply", open_calls_));
}

std::optional<msg::NodeId> SimRun::some_node(msg::NodeKind kind) {
  std::vector<msg::NodeId> all;
  for (const auto& [key, node] : deployment_.invariants.nodes().all())
    if (node.definition.kind == kind) all.push_back(node.definition.node_id);
  if (all.empty()) return std::nullopt;
  return all[pick(all.size() - 1)];
}

msg::ClusterId SimRun::cluster_of(const msg::NodeId& node_id) const {
  const auto* node = deployment_.invariants.nodes().find(scheduler::keys::node(node_id).name);
  return node ? node->definition.cluster_id : msg::ClusterId{};
}

void SimRun::act() {
  switch (pick(9)) {
    case 0:
    case 1:
      return act_on_cluster();
    case 2:
    case 3:
    case 4:
      return act_on_computeset();
    case 5:
    case 6:
    case 7:
      return act_on_node();
    default:
      return act_on_others();
  }
}

void SimRun::act_on_cluster() {
  const msg::ClusterId cluster{"c" + std::to_string(pick(clusters_max - 1))};
  if (happens(250)) return ask(msg::RemoveCluster{.cluster_id = cluster, .viewer = as_operator});
  msg::DefineCluster request{.cluster_id = cluster,
                             .project_id = {"p" + std::to_string(pick(projects_max - 1))},
                             .allocations = {{"a" + std::to_string(pick(1))}},
                             .compute_count = static_cast<std::uint32_t>(pick(6))};
  request.compute_size.cpus = static_cast<std::uint32_t>(1 + pick(1));
  request.compute_size.memory_mb = 256 * (1 + pick(2));
  if (happens(200)) request.image_id = {"public/i" + std::to_string(pick(1))};
  ask(request);
}

void SimRun::act_on_computeset() {
  const auto& computesets = deployment_.invariants.computesets().all();
  if (happens(550) || computesets.empty()) {
    const auto of = some_node(msg::NodeKind::compute);
    if (!of) return act_on_cluster();
    msg::StartComputeset request{.cluster_id = cluster_of(*of),
                                 .viewer = as_operator,
                                 .count = static_cast<std::uint32_t>(1 + pick(4)),
                                 .walltime_mins = static_cast<std::int64_t>(1 + pick(4))};
    if (happens(300))
      request.node_count_min = static_cast<std::uint32_t>(1 + pick(request.count - 1));
    if (happens(200)) request.reservation = "r" + std::to_string(pick(2));
    if (happens(300)) {
      request.nodes = {*of};
      request.node_count_min = std::min(request.node_count_min, 1U);
      if (happens(300)) request.hosts = {{"h" + std::to_string(pick(4))}};
    }
    return ask(request);
  }
  const auto some = std::next(computesets.begin(), static_cast<long>(pick(computesets.size() - 1)));
  if (happens(300)) return act_on_size(some->second.computeset);
  if (happens(500)) return act_on_memory(some->second.computeset);
  constexpr msg::PowerAction actions[] = {msg::PowerAction::shutdown, msg::PowerAction::poweroff,
                                          msg::PowerAction::reboot, msg::PowerAction::reset};
  ask(msg::PowerComputeset{.computeset_id = some->second.computeset.computeset_id,
                           .viewer = as_operator,
                           .action = actions[pick(3)]});
}

/// Hibernates or resumes it, whichever may be possible.
void SimRun::act_on_memory(const msg::Computeset& computeset) {
  const auto id = computeset.computeset_id;
  if (computeset.hibernated_unix_s == 0) return ask(msg::HibernateComputeset{id, as_operator});
  ask(msg::ResumeComputeset{id, as_operator, happens(200)});
}

/// Grows or shrinks it.
void SimRun::act_on_size(const msg::Computeset& computeset) {
  const auto id = computeset.computeset_id;
  if (happens(500))
    return ask(msg::GrowComputeset{.computeset_id = id,
                                   .viewer = as_operator,
                                   .count = static_cast<std::uint32_t>(1 + pick(1))});
  msg::ShrinkComputeset request{
      .computeset_id = id,
      .viewer = as_operator,
      .action = happens(500) ? msg::PowerAction::shutdown : msg::PowerAction::poweroff};
  for (const auto& node_id : computeset.nodes) {
    const auto* node = deployment_.invariants.nodes().find(scheduler::keys::node(node_id).name);
    if (node && happens(500)) request.names.push_back(node->definition.name);
  }
  if (!request.names.empty()) ask(request);
}

void SimRun::act_on_node() {
  const auto kind = happens(700) ? msg::NodeKind::frontend : msg::NodeKind::compute;
  const auto node = some_node(kind);
  if (!node) return act_on_cluster();
  if (happens(150)) return act_on_disk(*node);
  constexpr msg::PowerAction actions[] = {msg::PowerAction::poweron,  msg::PowerAction::poweron,
                                          msg::PowerAction::poweron,  msg::PowerAction::poweroff,
                                          msg::PowerAction::shutdown, msg::PowerAction::reboot,
                                          msg::PowerAction::reset};
  ask(msg::PowerNode{
      .node = {.node_id = *node}, .viewer = as_operator, .action = actions[pick(6)]});
}

/// Saves it, rolls it back, or removes a generation; often a second time before the first has
/// ended. Or lets it be saved whenever its node has gone off.
void SimRun::act_on_disk(const msg::NodeId& node) {
  if (happens(200))
    return ask(msg::ChangeNode{
        .node = {.node_id = node}, .viewer = as_operator, .save_at_power_off = happens(800)});
  constexpr msg::DiskWorkKind kinds[] = {msg::DiskWorkKind::save, msg::DiskWorkKind::roll_back,
                                         msg::DiskWorkKind::remove};
  ask(msg::ChangeDisk{.node = {.node_id = node},
                      .viewer = as_operator,
                      .kind = kinds[pick(2)],
                      .generation = pick(3)});
}

void SimRun::act_on_others() {
  const msg::HostId host{"h" + std::to_string(pick(deployment_.host_count() - 1))};
  const msg::ImageId image{"public/i" + std::to_string(pick(1))};
  switch (pick(8)) {
    case 7:
    case 8:
      return act_on_reservation();
    case 0:
      return ask(msg::DrainHost{.host_id = host, .is_drained = true, .reason = "a new fan"});
    case 1:
    case 2:
      return ask(msg::DrainHost{.host_id = host, .is_drained = false});
    case 3:
      return ask(msg::ImportImage{
          .image_id = image, .format = msg::ImageFormat::raw, .disk_path = "/nothing"});
    case 4:
      return ask(msg::RemoveImage{image});
    case 5:
      if (const auto node = some_node(msg::NodeKind::compute))
        ask(msg::ChangeNode{.node = {.node_id = *node},
                            .viewer = as_operator,
                            .name = "x" + std::to_string(pick(3))});
      return;
    default:
      if (const auto node = some_node(msg::NodeKind::frontend))
        ask(msg::ChangeNode{.node = {.node_id = *node},
                            .viewer = as_operator,
                            .iso_id = happens(500) ? msg::ImageId{} : image});
  }
}

/// Creates, changes or removes a reservation of a few minutes, in the near future or from now on.
void SimRun::act_on_reservation() {
  const std::string name = "r" + std::to_string(pick(2));
  if (happens(200)) return ask(msg::RemoveReservation{.name = name});
  const auto now_unix_s = (SimLoop::unix_epoch_ms + deployment_.world.now_ms()) / 1000;
  const auto start_unix_s = now_unix_s + static_cast<std::int64_t>(pick(120));
  msg::DefineReservation request{
      .name = name,
      .is_new = happens(700),
      .hosts = "h" + std::to_string(pick(deployment_.host_count() - 1)),
      .start_unix_s = start_unix_s,
      .end_unix_s = start_unix_s + 1 + static_cast<std::int64_t>(pick(240))};
  if (happens(700))
    request.project_id = msg::ProjectId{"p" + std::to_string(pick(projects_max - 1))};
  ask(request);
}

void SimRun::remove_everything() {
  auto& world = deployment_.world;
  world.faults.event_lost = 1000;  // every event is read from the stream
  const auto listed =
      all_clusters([&](const auto& request) { return deployment_.admin.call(request); });
  if (!listed) return deployment_.invariants.fail("clusters cannot be listed without faults");
  for (const auto& cluster : *listed)
    must(msg::RemoveCluster{.cluster_id = cluster.cluster_id, .viewer = as_operator});
  world.run_for(Milliseconds{deployment_.shape().shutdown_ms + 60'000});
  // A host that restarts receives its complete list, which names nothing.
  for (const auto& name : deployment_.host_processes()) deployment_.start(name);
  settle([this] { return deployment_.invariants.check_empty(); });
  const auto hosts = deployment_.admin.call(msg::ListHosts{});
  if (!hosts) return deployment_.invariants.fail("hosts cannot be listed without faults");
  for (const auto& host : hosts->hosts)
    if (host.cpus_used != 0 || host.memory_used_mb != 0)
      deployment_.invariants.fail("host " + host.host_id.value +
                                  " has resources in use without a node");
}

std::uint64_t SimRun::digest() const {
  std::uint64_t digest = 14695981039346656037ULL;
  for (const auto& event : deployment_.world.events())
    for (const auto* text : {&event.topic, &event.body})
      for (const char c : *text)
        digest = (digest ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return digest;
}

}  // namespace nucleus::tests
