// The trace of a request goes with its work.
#include <gtest/gtest.h>

#include "core/log/log.hpp"
#include "messages/people.hpp"
#include "tests/support/process.hpp"

namespace nucleus::tests {
namespace {

/// Notes the trace of the request wherever the work goes: a worker, its end, a call.
struct TracedRoom {
  core::Runtime& runtime;
  static inline std::vector<std::string> seen = {};  // each place after the one before
  explicit TracedRoom(core::Runtime& given) : runtime{given} {
    seen.clear();
    runtime.bus.serve_later<msg::DefineProject>(*this, &TracedRoom::define);
    runtime.bus.serve<msg::ListProjects>(*this, &TracedRoom::list);
  }
  static void note() { seen.push_back(core::log::Trace::current()); }
  void define(const msg::DefineProject&, core::Context&, core::Responder<msg::Done> respond) {
    runtime.workers.run<void>(
        runtime.loop, wait_timeout,
        [] {
          note();
          return core::Result<void>{};
        },
        [this, respond = std::move(respond)](core::Result<void>) {
          note();
          runtime.bus.call(msg::ListProjects{}, {.deadline = wait_timeout},
                           [respond](const core::Result<msg::Projects>&) {
                             note();
                             respond(msg::Done{});
                           });
        });
  }
  core::Result<msg::Projects> list(const msg::ListProjects&, core::Context& context) {
    seen.push_back(context.trace_id());
    return msg::Projects{};
  }
};

core::Result<std::shared_ptr<void>> build_traced(core::Runtime& runtime) {
  return std::make_shared<TracedRoom>(runtime);
}

TEST(Trace, GoesWithARequestToWorkersAndFurtherCalls) {
  Deployment deployment;
  const Process registry(deployment, "registry", {}, build_traced);
  Process caller(deployment, "caller");
  ASSERT_TRUE(
      caller.call(msg::DefineProject{{"p"}}, {.trace_id = "t-1", .deadline = wait_timeout}));
  EXPECT_EQ(TracedRoom::seen, std::vector<std::string>(4, "t-1"));
}

}  // namespace
}  // namespace nucleus::tests
