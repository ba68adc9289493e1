// What core guarantees to every room, tested with small rooms: a request has one effect and one
// reply, and no event is lost.
#include <gtest/gtest.h>

#include "messages/process.hpp"
#include "messages/registry.hpp"
#include "tests/support/process.hpp"
#include "tests/support/wire.hpp"

namespace nucleus::tests {
namespace {

struct Counted {
  std::int64_t count = 0;
  NUCLEUS_FIELDS(count);
};

const core::Key<Counted> counter_key{"nucleus:registry:counter:all"};
const core::Key<Counted> handled_key{"nucleus:listener:counter:all"};

/// Counts projects, and emits an event for each.
struct CountingRoom {
  core::Store& store;
  explicit CountingRoom(core::Runtime& runtime) : store{runtime.store} {
    runtime.bus.serve<msg::DefineProject>(*this, &CountingRoom::define);
  }
  core::Result<msg::Done> define(const msg::DefineProject& request, core::Context& context) {
    if (auto broken = msg::check_name("project_id", request.project_id.value))
      return std::unexpected(*broken);
    auto tx = store.begin(context);
    const Counted* before = tx.read(counter_key);
    tx.write(counter_key, Counted{before ? before->count + 1 : 1});
    tx.emit(
        msg::ClusterDefined{.cluster = {.cluster_id = {"c"}, .project_id = request.project_id}});
    return tx.commit(msg::Done{});
  }
};

struct SubscribingRoom {
  core::Store& store;
  explicit SubscribingRoom(core::Runtime& runtime) : store{runtime.store} {
    runtime.bus.subscribe<msg::ClusterDefined>(*this, &SubscribingRoom::count);
  }
  core::Result<void> count(const msg::ClusterDefined&, core::Context& context) {
    auto tx = store.begin(context);
    const Counted* before = tx.read(handled_key);
    tx.write(handled_key, Counted{before ? before->count + 1 : 1});
    return tx.commit();
  }
};

/// Waits until `condition`; false when the deadline passes first.
bool comes_true(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Watches whether it may have missed events.
struct WatchingRoom {
  static inline std::atomic<std::int64_t> complete_ms = 0;
  explicit WatchingRoom(core::Runtime& runtime) {
    complete_ms = 0;
    runtime.bus.subscribe_all([](const core::StoredEvent&) {});
    runtime.bus.watch_completeness([](std::int64_t ms) { complete_ms = ms; });
  }
  static bool wait(bool is_complete) {
    return comes_true([&] { return (complete_ms > 0) == is_complete; });
  }
};

template <class Room>
core::Result<std::shared_ptr<void>> build(core::Runtime& runtime) {
  return std::make_shared<Room>(runtime);
}

std::int64_t counted(Process& process, const core::Key<Counted>& key) {
  return process.on_loop([&] {
    const Counted* record = process.store().read(key);
    return record ? record->count : 0;
  });
}

/// Waits until the counter has reached `count`; the last value seen.
std::int64_t counted_by_deadline(Process& process, const core::Key<Counted>& key,
                                 std::int64_t count) {
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  std::int64_t seen = 0;
  while ((seen = counted(process, key)) < count && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  return seen;
}

TEST(Core, GivesARepeatedRequestOneEffectAndTheStoredReply) {
  Deployment deployment;
  Process registry(deployment, "registry", {}, build<CountingRoom>);
  Process caller(deployment, "caller");
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(
        caller.call(msg::DefineProject{{"p"}}, {.request_id = "same", .deadline = wait_timeout}));
  EXPECT_EQ(counted(registry, counter_key), 1);
}

TEST(Core, KeepsRepliesAndRecordsAcrossARestart) {
  Deployment deployment;
  Process caller(deployment, "caller");
  {
    Process registry(deployment, "registry", {}, build<CountingRoom>);
    ASSERT_TRUE(
        caller.call(msg::DefineProject{{"p"}}, {.request_id = "same", .deadline = wait_timeout}));
  }
  Process registry(deployment, "registry", {}, build<CountingRoom>);
  ASSERT_TRUE(
      caller.call(msg::DefineProject{{"p"}}, {.request_id = "same", .deadline = wait_timeout}));
  EXPECT_EQ(counted(registry, counter_key), 1);
}

TEST(Core, ChangesNothingWhenARequestIsRefused) {
  Deployment deployment;
  Process registry(deployment, "registry", {}, build<CountingRoom>);
  Process caller(deployment, "caller");
  auto reply = caller.call(msg::DefineProject{{"../x"}}, {.deadline = wait_timeout});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, core::ErrorCode::invalid_argument);
  EXPECT_EQ(reply.error().field, "project_id");
  EXPECT_EQ(counted(registry, counter_key), 0);
}

TEST(Core, HandlesEachEventOnceWhenTheSubscriberRestarts) {
  Deployment deployment;
  Process registry(deployment, "registry", {}, build<CountingRoom>);
  Process caller(deployment, "caller");
  {
    Process listener(deployment, "listener", {}, build<SubscribingRoom>);
    for (int i = 0; i < 20; ++i)
      ASSERT_TRUE(caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout}));
    EXPECT_EQ(counted_by_deadline(listener, handled_key, 20), 20);
  }
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout}));
  Process listener(deployment, "listener", {}, build<SubscribingRoom>);
  EXPECT_EQ(counted_by_deadline(listener, handled_key, 40), 40);
}

TEST(Core, LosesNoAcceptedRequestWhenRedisIsKilled) {
  Deployment deployment;
  Process registry(deployment, "registry", {}, build<CountingRoom>);
  Process caller(deployment, "caller");
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout}));
    deployment.redis.kill();
    auto reply = std::async(std::launch::async, [&] {
      return caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout});
    });
    deployment.redis.start();
    ASSERT_TRUE(reply.get());
  }
  EXPECT_EQ(counted(registry, counter_key), 10);
}

TEST(Core, ReportsWhetherEventsMayBeMissing) {
  Deployment deployment;
  Process listener(deployment, "listener", {}, build<WatchingRoom>);
  EXPECT_TRUE(WatchingRoom::wait(true));
  deployment.redis.kill();
  EXPECT_TRUE(WatchingRoom::wait(false));
  deployment.redis.start();
  EXPECT_TRUE(WatchingRoom::wait(true));
  deployment.stop_bus();
  EXPECT_TRUE(WatchingRoom::wait(false));
}

TEST(Core, FencesAProcessWhoseNameWasTakenOver) {
  Deployment deployment;
  Process first(deployment, "registry", {}, build<CountingRoom>);
  Process caller(deployment, "caller");
  ASSERT_TRUE(caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout}));
  std::promise<core::Error> fenced;
  first.on_loop([&] {
    first.store().on_fenced([&](core::Error error) { fenced.set_value(std::move(error)); });
  });
  Process second(deployment, "registry", {}, build<CountingRoom>);
  ASSERT_TRUE(caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout}));
  // The first process writes with its old epoch: refused.
  first.on_loop([&] {
    core::Context context = first.bus().context();
    auto tx = first.store().begin(context);
    tx.write(counter_key, Counted{99});
    return tx.commit().has_value();
  });
  auto error = fenced.get_future();
  ASSERT_EQ(error.wait_for(wait_timeout), std::future_status::ready);
  EXPECT_EQ(error.get().code, core::ErrorCode::conflict);
  EXPECT_NE(counted(second, counter_key), 99);
}

TEST(Core, AnswersHostileBytesAsInvalidAndChangesNothing) {
  Deployment deployment;
  Process registry(deployment, "registry", {}, build<CountingRoom>);
  Process caller(deployment, "caller");
  ASSERT_TRUE(caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout}));
  Wire peer(zmq::socket_type::dealer, deployment.requests_url(), "peer");
  const std::string hostile[] = {
      "",
      std::string("\xc1"),
      std::string("\xdd\xff\x00\x00\x00", 5),
      std::string(100'000, '\x91'),
      std::string("\x81\xaaproject_id\xc0", 13),
      std::string("\x81\xaaproject_id\x07", 13),
      std::string("\x81\xaaproject_id\xdb\xff\xff\xff\xff", 17),
      msg::encode(msg::DefineProject{{"p"}}) + "more",
      std::string((1 << 20) + 1, 'x'),
  };
  int number = 0;
  for (const auto& body : hostile) {
    const std::string id = "hostile-" + std::to_string(++number);
    peer.send(a_request("peer", "registry", std::string(msg::DefineProject::topic), body, id));
    const auto reply = peer.receive(wait_timeout);
    ASSERT_TRUE(reply) << number;
    const auto envelope = msg::decode<msg::Envelope>((*reply)[1]);
    EXPECT_EQ(envelope.request_id, id);
    ASSERT_TRUE(envelope.error) << number;
    EXPECT_EQ(envelope.error->code, core::ErrorCode::invalid_argument) << number;
    EXPECT_LE(envelope.error->detail.size(), 80U) << envelope.error->detail;
  }
  EXPECT_EQ(counted(registry, counter_key), 1);
}

TEST(Core, CommitsNothingWhileItsRecordsAreBeingLoaded) {
  Deployment deployment;
  Process registry(deployment, "registry", {}, build<CountingRoom>);
  Process caller(deployment, "caller");
  ASSERT_TRUE(caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout}));
  deployment.redis.kill();
  const auto write = [&](std::int64_t count) {
    return registry.on_loop([&] {
      core::Context context = registry.bus().context();
      auto tx = registry.store().begin(context);
      tx.write(counter_key, Counted{count});
      return tx.commit();
    });
  };
  (void)write(50);  // fails, and the connection is lost
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  while (registry.on_loop([&] { return registry.store().is_loaded(); }) &&
         std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  const auto refused = write(60);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::unavailable);
  std::optional<core::Result<void>> durable;
  registry.on_loop([&] {
    registry.store().when_durable([&](core::Result<void> done) { durable = std::move(done); });
    return true;
  });
  ASSERT_TRUE(durable) << "nothing is pending";
  EXPECT_EQ(durable->error().code, core::ErrorCode::unknown_outcome);
  deployment.redis.start();
  ASSERT_TRUE(caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout}));
  EXPECT_EQ(counted(registry, counter_key), 2);
}

struct CountedSummary {
  std::int64_t tens = 0;
  NUCLEUS_FIELDS(tens);
};

/// Archives finished counters, and rebuilds their index when the store loads.
struct ArchivingRoom {
  static core::Key<Counted> key(int number) {
    return {"nucleus:registry:finished:" + std::to_string(number)};
  }
  core::Store& store;
  std::vector<std::pair<std::string, std::int64_t>> index = {};
  explicit ArchivingRoom(core::Runtime& runtime) : store{runtime.store} {
    store.on_loaded([this] {
      index.clear();
      store.for_each_archived<CountedSummary>(
          "nucleus:registry:finished:",
          [this](const std::string& name, const CountedSummary& summary) {
            index.emplace_back(name, summary.tens);
          });
    });
  }
};

/// Archives a counter and waits until the commit is durable.
void archive(Process& process, int number) {
  std::promise<core::Result<void>> durable;
  process.on_loop([&] {
    core::Context context = process.bus().context();
    auto tx = process.store().begin(context);
    tx.archive(ArchivingRoom::key(number), CountedSummary{number / 10}, Counted{number});
    if (auto committed = tx.commit(); !committed) return durable.set_value(committed);
    process.store().when_durable([&](core::Result<void> done) { durable.set_value(done); });
  });
  ASSERT_TRUE(durable.get_future().get());
}

core::Result<std::vector<Counted>> read_archived(Process& process, std::vector<int> numbers) {
  std::promise<core::Result<std::vector<Counted>>> read;
  process.on_loop([&] {
    std::vector<core::Key<Counted>> keys;
    for (const int number : numbers) keys.push_back(ArchivingRoom::key(number));
    process.store().read_archived<Counted>(
        keys, [&](core::Result<std::vector<Counted>> records) { read.set_value(records); });
  });
  return read.get_future().get();
}

TEST(Core, ArchivedRecordsLeaveMemoryAndStayReadableAfterARestart) {
  Deployment deployment;
  ArchivingRoom* room = nullptr;
  const auto build_room = [&room](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
    auto built = std::make_shared<ArchivingRoom>(runtime);
    room = built.get();
    return built;
  };
  Process caller(deployment, "caller");
  {
    Process registry(deployment, "registry", {}, build_room);
    ASSERT_TRUE(caller.call(msg::Ping{}, {.to = "registry", .deadline = wait_timeout}));
    ASSERT_TRUE(
        comes_true([&] { return registry.on_loop([&] { return registry.store().is_loaded(); }); }));
    registry.on_loop([&] {
      core::Context context = registry.bus().context();
      auto tx = registry.store().begin(context);
      tx.write(ArchivingRoom::key(31), Counted{31});
      ASSERT_TRUE(tx.commit());
    });
    archive(registry, 42);
    archive(registry, 31);
    EXPECT_TRUE(
        registry.on_loop([&] { return registry.store().read(ArchivingRoom::key(31)) == nullptr; }));
  }
  Process registry(deployment, "registry", {}, build_room);
  ASSERT_TRUE(
      comes_true([&] { return registry.on_loop([&] { return registry.store().is_loaded(); }); }));
  using Index = std::vector<std::pair<std::string, std::int64_t>>;
  EXPECT_EQ(registry.on_loop([&] { return room->index; }),
            (Index{{"nucleus:registry:finished:31", 3}, {"nucleus:registry:finished:42", 4}}));
  const auto records = read_archived(registry, {42, 31});
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 2U);
  EXPECT_EQ((*records)[0].count, 42);
  EXPECT_EQ((*records)[1].count, 31);
  const auto missing = read_archived(registry, {7});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, core::ErrorCode::not_found);
}

TEST(Core, FailsACallAtItsDeadlineIfTheCalleeIsNotConnected) {
  Deployment deployment;
  Process caller(deployment, "caller");
  auto reply = caller.call(msg::DefineProject{{"p"}}, {.deadline = core::Milliseconds{300}});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, core::ErrorCode::deadline_exceeded);
}

TEST(Core, FailsACallThatIsNotToWaitForItsCallee) {
  Deployment deployment;
  Process caller(deployment, "caller");
  auto reply = caller.call(msg::DefineProject{{"p"}},
                           {.deadline = wait_timeout, .ends_if_unavailable = true});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, core::ErrorCode::unavailable);
  EXPECT_EQ(reply.error().detail, "registry is not connected");
}

/// Replies with more than a message may hold.
struct VerboseRoom {
  explicit VerboseRoom(core::Runtime& runtime) {
    runtime.bus.serve<msg::GetPerson>(*this, &VerboseRoom::get);
  }
  core::Result<msg::Person> get(const msg::GetPerson&, core::Context&) {
    return msg::Person{.first_name = std::string(msg::body_bytes_max, 'x')};
  }
};

TEST(Core, AnswersAReplyThatIsTooLargeAsAFaultOfTheService) {
  Deployment deployment;
  const Process registry(deployment, "registry", {}, build<VerboseRoom>);
  Process caller(deployment, "caller");
  const auto reply = caller.call(msg::GetPerson{{"ada"}}, {.deadline = wait_timeout});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, core::ErrorCode::internal);
  EXPECT_EQ(reply.error().detail, "the reply is over 1 MiB");
}

TEST(Core, RefusesARequestThatIsTooLargeBeforeItIsSent) {
  Deployment deployment;
  Process caller(deployment, "caller");
  const auto reply = caller.call(msg::GetPerson{{std::string(msg::body_bytes_max, 'x')}},
                                 {.deadline = wait_timeout});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, core::ErrorCode::invalid_argument);
  EXPECT_EQ(reply.error().detail, "the request is over 1 MiB");
}

/// Subscribes to events, so that requests wait for them.
struct WaitingRoom {
  SubscribingRoom events;
  explicit WaitingRoom(core::Runtime& runtime) : events{runtime} {
    runtime.bus.serve<msg::GetPerson>(*this, &WaitingRoom::get);
  }
  core::Result<msg::Person> get(const msg::GetPerson& request, core::Context&) {
    return msg::Person{.person_id = request.person_id};
  }
};

TEST(Core, BoundsTheBytesOfRequestsThatWaitForAnEvent) {
  Deployment deployment;
  Process registry(deployment, "registry", {}, build<CountingRoom>);
  Process listener(deployment, "listener", {}, build<WaitingRoom>, {.held_bytes_max = 100});
  Process caller(deployment, "caller");
  const auto answers = [&] {
    return caller.call(msg::GetPerson{{"ada"}}, {.to = "listener", .deadline = wait_timeout});
  };
  const auto is_loaded = [&] {
    return listener.on_loop([&] { return listener.store().is_loaded(); });
  };
  Wire peer(zmq::socket_type::dealer, deployment.requests_url(), "peer");
  const auto ask = [&](const std::string& id) {
    const auto body = msg::encode(msg::GetPerson{{std::string(60, 'x')}});
    auto parts = a_request("peer", "listener", std::string(msg::GetPerson::topic), body, id);
    auto envelope = msg::decode<msg::Envelope>(parts[1]);
    envelope.after_sequence = 1;
    parts[1] = msg::encode(envelope);
    EXPECT_TRUE(peer.send(parts));
  };
  const auto next_reply = [&] {
    const auto parts = peer.receive(wait_timeout);
    return parts ? msg::decode<msg::Envelope>((*parts)[1]) : msg::Envelope{};
  };
  ASSERT_TRUE(answers());
  ask("first");
  ask("first");  // a copy is not held again
  ask("second");
  const auto refused = next_reply();
  EXPECT_EQ(refused.request_id, "second");
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, core::ErrorCode::unavailable);

  deployment.redis.kill();
  listener.on_loop([&] {  // the commit fails, and the store is loaded again
    core::Context context = listener.bus().context();
    auto tx = listener.store().begin(context);
    tx.write(handled_key, Counted{50});
    return tx.commit().has_value();
  });
  ASSERT_TRUE(comes_true([&] { return !is_loaded(); }));
  deployment.redis.start();
  ASSERT_TRUE(answers());
  ask("third");  // a reload has forgotten the first
  ASSERT_TRUE(answers());
  ASSERT_TRUE(caller.call(msg::DefineProject{{"p"}}, {.deadline = wait_timeout}));
  const auto answered = next_reply();
  EXPECT_EQ(answered.request_id, "third");
  EXPECT_FALSE(answered.error) << answered.error->detail;
}

}  // namespace
}  // namespace nucleus::tests
