// Events of several services may arrive out of order. A subscriber handles each once, in order, and
// does not wait for its next poll of the stream if none was lost.
#include <gtest/gtest.h>

#include "messages/registry.hpp"
#include "tests/support/sim/process.hpp"

namespace nucleus::tests {
namespace {

constexpr core::Milliseconds well_before_the_next_poll{100};

struct Silent {};

core::Result<std::shared_ptr<void>> build_silent(core::Runtime&) {
  return std::make_shared<Silent>();
}

struct Subscriber {
  std::vector<std::uint64_t> received = {};
  explicit Subscriber(core::Runtime& runtime) {
    runtime.bus.subscribe<msg::ClusterDefined>(*this, &Subscriber::handle);
  }
  core::Result<void> handle(const msg::ClusterDefined&, core::Context& context) {
    received.push_back(context.event_id());
    return {};
  }
};

void emit(SimProcess& from) {
  core::Context context = from.bus().context();
  auto tx = from.store().begin(context);
  tx.emit(msg::ClusterDefined{.cluster = {.cluster_id = {"c"}, .project_id = {"p"}}});
  ASSERT_TRUE(tx.commit());
}

TEST(Events, OfTwoServicesAreHandledInOrderBeforeTheNextPoll) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SimWorld world(seed);
    std::shared_ptr<Subscriber> subscriber;
    SimProcess first(world, "first", {}, build_silent);
    SimProcess second(world, "second", {}, build_silent);
    SimProcess third(world, "third", {}, [&](core::Runtime& runtime) {
      subscriber = std::make_shared<Subscriber>(runtime);
      return core::Result<std::shared_ptr<void>>(subscriber);
    });
    world.run_for(core::Milliseconds{1'600 + static_cast<std::int64_t>(world.pick(400))});
    for (int i = 0; i < 30; ++i) {
      emit(world.pick(1) ? first : second);
      world.run_for(core::Milliseconds{static_cast<std::int64_t>(world.pick(3))});
    }
    ASSERT_TRUE(world.run_until([&] { return subscriber->received.size() == 30; },
                                well_before_the_next_poll))
        << "seed " << seed << ": received " << subscriber->received.size();
    for (std::size_t i = 0; i < 30; ++i)
      ASSERT_EQ(subscriber->received[i], i + 1) << "seed " << seed;
  }
}

}  // namespace
}  // namespace nucleus::tests
