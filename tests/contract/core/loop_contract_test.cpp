// The contract of loops and worker pools: the same tests run on the real and the simulated ones.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <set>
#include <thread>

#include "core/loop/posix_loop.hpp"
#include "tests/support/process.hpp"
#include "tests/support/sim/world.hpp"

namespace nucleus::tests {
namespace {

using core::Milliseconds;
using core::Result;

class RealLoops {
 public:
  core::Loop& loop() { return loop_; }
  core::Workers& workers() { return workers_; }
  /// Runs the loop until `condition`; false if the deadline passes first.
  bool wait(const std::function<bool()>& condition) {
    const auto end_ms = loop_.steady_ms() + wait_timeout.count();
    while (!condition() && loop_.steady_ms() < end_ms) {
      // A stopped loop runs what is due once and returns.
      loop_.stop();
      loop_.run();
    }
    return condition();
  }

 private:
  core::PosixLoop loop_ = {};
  core::ThreadWorkers workers_{2};
};

class SimLoops {
 public:
  core::Loop& loop() { return loop_; }
  core::Workers& workers() { return workers_; }
  bool wait(const std::function<bool()>& condition) {
    return world_.run_until(condition, wait_timeout);
  }

 private:
  SimWorld world_{1};
  SimLoop loop_{world_};
  SimWorkers workers_{loop_};
};

template <class World>
class LoopContract : public testing::Test {
 protected:
  core::Loop& loop() { return world.loop(); }
  World world = {};
};

using LoopWorlds = testing::Types<RealLoops, SimLoops>;
TYPED_TEST_SUITE(LoopContract, LoopWorlds);

TYPED_TEST(LoopContract, RunsPostedTasksInOrderAndNeverWithinPost) {
  std::vector<int> ran;
  bool is_within = true;
  this->loop().post([&] {
    ran.push_back(1);
    this->loop().post([&] { ran.push_back(3); });
    EXPECT_EQ(ran.size(), 1U);
  });
  this->loop().post([&] { ran.push_back(2); });
  is_within = !ran.empty();
  EXPECT_FALSE(is_within);
  ASSERT_TRUE(this->world.wait([&] { return ran.size() == 3; }));
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
}

TYPED_TEST(LoopContract, RunsATimerOnceAndNotEarly) {
  const auto started_ms = this->loop().steady_ms();
  std::int64_t ran_ms = 0;
  int count = 0;
  this->loop().after(Milliseconds{30}, [&] {
    ran_ms = this->loop().steady_ms();
    ++count;
  });
  bool is_later = false;
  this->loop().after(Milliseconds{60}, [&] { is_later = true; });
  ASSERT_TRUE(this->world.wait([&] { return is_later; }));
  EXPECT_GE(ran_ms - started_ms, 30);
  EXPECT_EQ(count, 1);
}

TYPED_TEST(LoopContract, RunsTimersByTimeAndThenInTheOrderCreated) {
  std::vector<int> ran;
  this->loop().after(Milliseconds{40}, [&] { ran.push_back(4); });
  this->loop().after(Milliseconds{5}, [&] { ran.push_back(1); });
  this->loop().after(Milliseconds{20}, [&] { ran.push_back(2); });
  this->loop().after(Milliseconds{20}, [&] { ran.push_back(3); });
  ASSERT_TRUE(this->world.wait([&] { return ran.size() == 4; }));
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3, 4}));
}

TYPED_TEST(LoopContract, LetsATimerStartAnother) {
  int left = 5;
  std::function<void()> again = [&] {
    if (--left > 0) this->loop().after(Milliseconds{1}, again);
  };
  this->loop().after(Milliseconds{0}, again);
  EXPECT_TRUE(this->world.wait([&] { return left == 0; }));
}

TYPED_TEST(LoopContract, HasASteadyClockThatNeverGoesBackAndAWallClock) {
  constexpr std::int64_t year_2020_ms = 1'577'836'800'000;
  EXPECT_GT(this->loop().unix_ms(), year_2020_ms);
  std::int64_t last_ms = this->loop().steady_ms();
  const auto begin_ms = last_ms;
  const auto begin_unix_ms = this->loop().unix_ms();
  bool is_over = false;
  this->loop().after(Milliseconds{50}, [&] { is_over = true; });
  ASSERT_TRUE(this->world.wait([&] {
    EXPECT_GE(this->loop().steady_ms(), last_ms);
    last_ms = this->loop().steady_ms();
    return is_over;
  }));
  EXPECT_GE(last_ms - begin_ms, 50);
  EXPECT_GE(this->loop().unix_ms() - begin_unix_ms, 40);
}

TYPED_TEST(LoopContract, CreatesUniqueIdsOf32HexDigits) {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(this->loop().new_id());
  EXPECT_EQ(ids.size(), 10'000U);
  for (const auto& id : ids) {
    EXPECT_EQ(id.size(), 32U);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
}

TYPED_TEST(LoopContract, PassesTheResultOfWorkToTheLoopOnce) {
  int count = 0;
  std::optional<Result<int>> result;
  this->world.workers().template run<int>(
      this->loop(), Milliseconds{10'000}, [] { return Result<int>(7); },
      [&](Result<int> done) {
        ++count;
        result = std::move(done);
      });
  EXPECT_EQ(count, 0) << "called within run()";
  ASSERT_TRUE(this->world.wait([&] { return result.has_value(); }));
  EXPECT_EQ(*result, 7);
  EXPECT_EQ(count, 1);
}

TYPED_TEST(LoopContract, PassesAFailureOfWorkToTheLoop) {
  std::optional<Result<int>> result;
  this->world.workers().template run<int>(
      this->loop(), Milliseconds{10'000},
      []() -> Result<int> { return core::refuse(core::ErrorCode::no_capacity, "full"); },
      [&](Result<int> done) { result = std::move(done); });
  ASSERT_TRUE(this->world.wait([&] { return result.has_value(); }));
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, core::ErrorCode::no_capacity);
}

TYPED_TEST(LoopContract, RunsAllWorkSubmittedWhileWorkersAreBusy) {
  int done = 0;
  for (int i = 0; i < 50; ++i)
    this->world.workers().template run<int>(
        this->loop(), Milliseconds{10'000}, [i] { return Result<int>(i); },
        [&](Result<int> result) { done += result.has_value(); });
  EXPECT_TRUE(this->world.wait([&] { return done == 50; }));
}

TYPED_TEST(LoopContract, RunsWorkWithoutAResult) {
  std::vector<Result<void>> results;
  const auto add = [&](Result<void> result) { results.push_back(std::move(result)); };
  auto& workers = this->world.workers();
  workers.template run<void>(
      this->loop(), Milliseconds{10'000}, [] { return Result<void>(); }, add);
  ASSERT_TRUE(this->world.wait([&] { return results.size() == 1; }));
  workers.template run<void>(
      this->loop(), Milliseconds{10'000},
      []() -> Result<void> { return core::refuse(core::ErrorCode::no_capacity, "full"); }, add);
  ASSERT_TRUE(this->world.wait([&] { return results.size() == 2; }));
  EXPECT_TRUE(results[0]);
  ASSERT_FALSE(results[1]);
  EXPECT_EQ(results[1].error().code, core::ErrorCode::no_capacity);
}

TYPED_TEST(LoopContract, ReleasesWhatWorkCapturedBeforeItsResult) {
  int released = 0;
  int done = 0;
  for (int i = 0; i < 200; ++i) {
    auto lock = std::make_shared<int>(i);
    std::weak_ptr<int> watched = lock;
    this->world.workers().template run<int>(
        this->loop(), Milliseconds{10'000}, [lock = std::move(lock)] { return Result<int>(*lock); },
        [&, watched](const Result<int>&) {
          ++done;
          released += watched.expired();
        });
  }
  ASSERT_TRUE(this->world.wait([&] { return done == 200; }));
  EXPECT_EQ(released, 200);
}

/// The work is blocked until the timeout was reported.
TEST(RealWorkers, ReportATimeoutAndDropTheLateResult) {
  core::PosixLoop loop;
  core::ThreadWorkers workers(1);
  std::promise<void> release;
  auto held = release.get_future().share();
  std::vector<Result<int>> results;
  workers.run<int>(
      loop, Milliseconds{20},
      [held] {
        held.wait();
        return Result<int>(1);
      },
      [&](Result<int> result) { results.push_back(std::move(result)); });
  const auto turn = [&](const std::function<bool()>& condition) {
    const auto end_ms = loop.steady_ms() + wait_timeout.count();
    while (!condition() && loop.steady_ms() < end_ms) {
      loop.stop();
      loop.run();
    }
  };
  turn([&] { return !results.empty(); });
  ASSERT_EQ(results.size(), 1U);
  ASSERT_FALSE(results[0]);
  EXPECT_EQ(results[0].error().code, core::ErrorCode::deadline_exceeded);
  release.set_value();
  bool is_next_done = false;
  workers.run<int>(
      loop, Milliseconds{10'000}, [] { return Result<int>(2); },
      [&](Result<int>) { is_next_done = true; });
  turn([&] { return is_next_done; });
  EXPECT_TRUE(is_next_done);
  EXPECT_EQ(results.size(), 1U) << "the late result was delivered";
}

TEST(SimulatedWorkers, ReportATimeoutAndDropTheLateResult) {
  SimWorld world(1);
  world.faults.work_ms_max = 1'000'000;
  SimLoop loop(world);
  SimWorkers workers(loop);
  std::vector<Result<int>> results;
  workers.run<int>(
      loop, Milliseconds{1}, [] { return Result<int>(1); },
      [&](Result<int> result) { results.push_back(std::move(result)); });
  world.run_for(Milliseconds{2'000'000});
  ASSERT_EQ(results.size(), 1U);
  ASSERT_FALSE(results[0]);
  EXPECT_EQ(results[0].error().code, core::ErrorCode::deadline_exceeded);
}

TEST(PosixLoop, RunsTasksPostedByOtherThreads) {
  core::PosixLoop loop;
  int ran = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 250; ++i)
        loop.post([&] {
          if (++ran == 1000) loop.stop();
        });
    });
  loop.after(wait_timeout, [&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(ran, 1000);
}

TEST(ThreadWorkers, DropQueuedWorkWhenStopped) {
  core::ThreadWorkers workers(1);
  std::promise<void> begun;
  std::promise<void> release;
  std::atomic<int> done = 0;
  workers.submit([&] {
    begun.set_value();
    release.get_future().wait();
    ++done;
  });
  begun.get_future().wait();
  for (int i = 0; i < 10; ++i) workers.submit([&] { ++done; });
  std::jthread stopper([&] { workers.stop(); });
  // Running work ends; queued work may still start before stop() takes effect, but not after.
  release.set_value();
  stopper.join();
  const int at_stop = done;
  workers.submit([&] { ++done; });
  EXPECT_GE(at_stop, 1);
  EXPECT_EQ(done, at_stop);
}

}  // namespace
}  // namespace nucleus::tests
