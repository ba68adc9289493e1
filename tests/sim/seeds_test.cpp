// Simulates a deployment from many seeds. A failure prints its seed and the violations; nucleus-sim
// --seed N --trace prints its log. NUCLEUS_SIM_SEEDS sets the number of seeds (nightly: 100000),
// NUCLEUS_SEED the first one.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <set>

#include "tests/support/sim/run.hpp"

namespace nucleus::tests {
namespace {

constexpr std::uint64_t seeds_default = 500;
constexpr std::uint64_t batches = 20;

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* said = std::getenv(name);
  return said ? std::stoull(said) : otherwise;
}

/// Discards the services' logs.
class Quiet : public testing::Test {
 protected:
  void SetUp() override {
    before_ = spdlog::get_level();
    spdlog::set_level(spdlog::level::off);
  }
  void TearDown() override { spdlog::set_level(before_); }

 private:
  spdlog::level::level_enum before_ = spdlog::level::info;
};

class Seeds : public Quiet, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(Seeds, ViolateNoInvariant) {
  const std::uint64_t count = number_from("NUCLEUS_SIM_SEEDS", seeds_default);
  const std::uint64_t first = number_from("NUCLEUS_SEED", 1);
  for (std::uint64_t i = GetParam(); i < count; i += batches) {
    const auto outcome = SimRun(first + i).run();
    for (const auto& what : outcome.broken)
      ADD_FAILURE() << "nucleus-sim --seed " << outcome.seed << ": " << what;
  }
}

INSTANTIATE_TEST_SUITE_P(Batch, Seeds, testing::Range(std::uint64_t{0}, batches));

class SomeSeeds : public Quiet {};

TEST_F(SomeSeeds, RunTheSameEachTime) {
  for (const std::uint64_t seed : {3, 14, 15}) {
    const auto first = SimRun(seed).run();
    const auto again = SimRun(seed).run();
    EXPECT_EQ(first.digest, again.digest) << seed;
    EXPECT_EQ(first.steps, again.steps) << seed;
    EXPECT_EQ(first.counts, again.counts) << seed;
  }
}

TEST_F(SomeSeeds, CoverEveryKindOfFaultAndAnswer) {
  std::map<std::string, std::uint64_t> counts;
  for (std::uint64_t seed = 1; seed <= 80; ++seed)
    for (const auto& [what, count] : SimRun(seed).run().counts) counts[what] += count;
  for (const char* what : {"kills", "hosts cut off", "hypervisors hung", "hosts without power",
                           "redis outages", "takeovers", "domains ended by themselves",
                           "registry.define-cluster: yes", "registry.remove-cluster: yes",
                           "scheduler.start-computeset: yes", "scheduler.power-computeset: yes",
                           "scheduler.grow-computeset: yes", "scheduler.shrink-computeset: yes",
                           "scheduler.power-node: yes", "scheduler.power-node: no_capacity",
                           "scheduler.drain-host: yes", "image_store.import-image: yes"})
    EXPECT_GT(counts[what], 5U) << what;
}

}  // namespace
}  // namespace nucleus::tests
