// nucleus-sim: simulates a deployment from one seed or many, and prints the violations of each
// failed seed. `--seed N --trace` prints all log lines of a seed with the virtual time.
#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "tests/support/sim/run.hpp"

namespace {

void print(const nucleus::tests::SimOutcome& outcome, bool is_verbose) {
  for (const auto& what : outcome.broken) fmt::print("seed {}: {}\n", outcome.seed, what);
  if (!is_verbose) return;
  fmt::print("seed {}: {} steps, {} events, {} virtual seconds, digest {:016x}\n", outcome.seed,
             outcome.steps, outcome.events, outcome.virtual_s, outcome.digest);
  for (const auto& [what, count] : outcome.counts) fmt::print("  {:6} {}\n", count, what);
}

/// Prints the virtual time in log lines.
class VirtualTime : public spdlog::custom_flag_formatter {
 public:
  explicit VirtualTime(const nucleus::tests::SimRun& run) : run_{run} {}
  void format(const spdlog::details::log_msg&, const std::tm&,
              spdlog::memory_buf_t& line) override {
    fmt::format_to(std::back_inserter(line), "{:8}", run_.now_ms());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<VirtualTime>(run_);
  }

 private:
  const nucleus::tests::SimRun& run_;
};

void trace(const nucleus::tests::SimRun& run) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<VirtualTime>('*', run).set_pattern("%* %l %v");
  spdlog::set_formatter(std::move(formatter));
}

}  // namespace

int main(int argc, char** argv) {
  using namespace nucleus::tests;
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  int operations = 60;
  bool is_traced = false;
  bool is_first_enough = false;
  CLI::App app{"Runs all services in one thread, from one seed, with faults; checks every step."};
  app.add_option("--seed", seed, "the first seed")->capture_default_str();
  app.add_option("--count", count, "how many seeds, one after the other")->capture_default_str();
  app.add_option("--operations", operations, "requests in each")->capture_default_str();
  app.add_flag("--first", is_first_enough, "ends with the first seed that violates an invariant");
  app.add_flag("--trace", is_traced, "every log line of the services on standard error");
  CLI11_PARSE(app, argc, argv);

  spdlog::set_level(is_traced ? spdlog::level::info : spdlog::level::off);
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t broken = 0;
  std::uint64_t steps = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    SimRun run(seed + i, operations);
    if (is_traced) trace(run);
    const auto outcome = run.run();
    steps += outcome.steps;
    broken += !outcome.broken.empty();
    print(outcome, count == 1);
    std::fflush(stdout);
    if (broken > 0 && is_first_enough) return 1;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  fmt::print("{} seeds, {} broken, {} steps, {:.1f} s, {:.1f} seeds a second\n", count, broken,
             steps, seconds, static_cast<double>(count) / seconds);
  return broken == 0 ? 0 : 1;
}
