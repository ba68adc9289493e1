// What every process serves on the bus and over HTTP: status, settings, metrics, health and drain.
#include <curl/curl.h>
#include <gtest/gtest.h>

#include "messages/process.hpp"
#include "messages/registry.hpp"
#include "tests/support/process.hpp"

namespace nucleus::tests {
namespace {

struct Page {
  long status = 0;
  std::string text = {};
};

Page get(const std::string& url) {
  Page page;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(wait_timeout.count()));
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &page.text);
  curl_easy_setopt(
      curl.get(), CURLOPT_WRITEFUNCTION,
      +[](char* bytes, std::size_t size, std::size_t count, std::string* text) {
        text->append(bytes, size * count);
        return size * count;
      });
  if (curl_easy_perform(curl.get()) == CURLE_OK)
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &page.status);
  return page;
}

/// The page once `condition`, or the last one at the deadline.
Page get_until(const std::string& url, const std::function<bool(const Page&)>& condition) {
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  Page page = get(url);
  while (!condition(page) && std::chrono::steady_clock::now() < end) page = get(url);
  return page;
}

/// A request without a handler.
struct UnknownRequest {
  static constexpr std::string_view topic = "registry.unmistakable";
  using Reply = msg::Done;
  NUCLEUS_NO_FIELDS()
};

/// Answers some requests immediately and others when the test releases them.
struct SlowRoom {
  std::vector<core::Responder<msg::Done>> waiting = {};
  explicit SlowRoom(core::Runtime& runtime) {
    runtime.settings.secret("room.password");
    runtime.settings.text("room.colour", "green");
    runtime.bus.serve<msg::DefineProject>(*this, &SlowRoom::define);
    runtime.bus.serve_later<msg::RemoveCluster>(*this, &SlowRoom::remove);
  }
  core::Result<msg::Done> define(const msg::DefineProject& request, core::Context&) {
    if (auto broken = msg::check_name("project_id", request.project_id.value))
      return std::unexpected(*broken);
    return msg::Done{};
  }
  void remove(const msg::RemoveCluster&, core::Context&, core::Responder<msg::Done> respond) {
    waiting.push_back(std::move(respond));
  }
};

class ProcessRoomTest : public testing::Test {
 protected:
  std::unique_ptr<Process> start_registry() {
    return std::make_unique<Process>(
        deployment, "registry",
        std::map<std::string, std::string>{{"metrics.listen", "127.0.0.1:0"},
                                           {"room.password", "very secret"}},
        [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          room = std::make_shared<SlowRoom>(runtime);
          return room;
        });
  }
  core::Result<msg::ProcessStatus> status() {
    return caller.call(msg::GetProcessStatus{}, {.to = "registry", .deadline = wait_timeout});
  }
  /// The status once it has this state, or the last one at the deadline.
  msg::ProcessStatus status_by_deadline(msg::ProcessState state) {
    const auto end = std::chrono::steady_clock::now() + wait_timeout;
    msg::ProcessStatus seen;
    while (seen.state != state && std::chrono::steady_clock::now() < end)
      seen = status().value_or(seen);
    return seen;
  }

  Deployment deployment = {};
  Process caller{deployment, "caller"};
  std::shared_ptr<SlowRoom> room = {};
};

TEST_F(ProcessRoomTest, ReportsThatItServes) {
  const auto registry = start_registry();
  const auto report = status_by_deadline(msg::ProcessState::serving);
  EXPECT_EQ(report.state, msg::ProcessState::serving) << report.reason;
  EXPECT_EQ(report.name, "registry");
  EXPECT_EQ(report.pid, getpid());
  EXPECT_GT(report.started_unix_ms, 0);
  const Page page = get(registry->http_url("/healthz"));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.text, "serving\n");
}

TEST_F(ProcessRoomTest, AnswersWithoutRedisAndReportsIt) {
  deployment.redis.kill();
  const auto registry = start_registry();
  ASSERT_TRUE(caller.call(msg::Ping{}, {.to = "registry", .deadline = wait_timeout}));
  const Page page = get_until(registry->http_url("/healthz"), [](const Page& one) {
    return one.text.find("redis") != std::string::npos;
  });
  EXPECT_EQ(page.status, 503);
  EXPECT_EQ(page.text.find("starting: redis: "), 0U) << page.text;
  deployment.redis.start();
  EXPECT_EQ(status_by_deadline(msg::ProcessState::serving).state, msg::ProcessState::serving);
}

TEST_F(ProcessRoomTest, ReportsALostConnectionToTheBus) {
  const auto registry = start_registry();
  ASSERT_EQ(status_by_deadline(msg::ProcessState::serving).state, msg::ProcessState::serving);
  deployment.stop_bus();
  const Page page =
      get_until(registry->http_url("/healthz"), [](const Page& one) { return one.status == 503; });
  EXPECT_EQ(page.text, "cut_off: no connection to the bus\n");
}

TEST_F(ProcessRoomTest, ReportsThatItHangsWhileItsLoopIsBlocked) {
  const auto registry = start_registry();
  ASSERT_EQ(status_by_deadline(msg::ProcessState::serving).state, msg::ProcessState::serving);
  std::promise<void> answered;
  registry->loop().post([end = answered.get_future().share()] { end.wait_for(wait_timeout); });
  const Page page = get(registry->http_url("/healthz"));
  const Page metrics = get(registry->http_url("/metrics"));
  answered.set_value();
  EXPECT_EQ(page.status, 503);
  EXPECT_EQ(page.text, "unresponsive: the event loop is blocked\n");
  EXPECT_EQ(metrics.status, 200);
}

TEST_F(ProcessRoomTest, ShowsItsSettingsButNoSecrets) {
  const auto registry = start_registry();
  const auto config =
      caller.call(msg::GetProcessConfig{}, {.to = "registry", .deadline = wait_timeout});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->settings.at("room.colour"), "green");
  EXPECT_EQ(config->settings.at("metrics.listen"), "127.0.0.1:0");
  EXPECT_EQ(config->settings.at("room.password"), "(set)");
}

TEST_F(ProcessRoomTest, ADrainedProcessCompletesRequestsInFlightAndTakesNoNewOnes) {
  const auto registry = start_registry();
  ASSERT_EQ(status_by_deadline(msg::ProcessState::serving).state, msg::ProcessState::serving);
  auto in_flight = std::async(std::launch::async, [&] {
    return caller.call(msg::RemoveCluster{{"c"}}, {.deadline = wait_timeout});
  });
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  const auto waiting = [&] { return registry->on_loop([&] { return room->waiting.size(); }); };
  while (waiting() == 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  ASSERT_EQ(waiting(), 1U);
  const auto drained =
      caller.call(msg::DrainProcess{}, {.to = "registry", .deadline = wait_timeout});
  ASSERT_TRUE(drained);
  EXPECT_EQ(drained->state, msg::ProcessState::draining);
  EXPECT_EQ(drained->requests_in_flight, 1U);
  // New requests are refused; callers repeat them until their deadline.
  const auto refused =
      caller.call(msg::DefineProject{{"p"}}, {.deadline = core::Milliseconds{300}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::deadline_exceeded);
  registry->on_loop([&] {
    room->waiting.front()(msg::Done{});
    return true;
  });
  EXPECT_TRUE(in_flight.get());
  EXPECT_EQ(status()->requests_in_flight, 0U);
  EXPECT_EQ(get(registry->http_url("/healthz")).text, "draining: takes no new requests\n");
}

TEST_F(ProcessRoomTest, CountsRequestsByTopicAndOutcomeAndNeverById) {
  const auto registry = start_registry();
  ASSERT_TRUE(caller.call(msg::DefineProject{{"unmistakable"}}, {.deadline = wait_timeout}));
  ASSERT_FALSE(caller.call(msg::DefineProject{{"un/mistakable"}}, {.deadline = wait_timeout}));
  ASSERT_FALSE(caller.call(UnknownRequest{}, {.deadline = wait_timeout}));
  const auto page = get(registry->http_url("/metrics"));
  ASSERT_EQ(page.status, 200);
  for (const char* line :
       {"nucleus_core_requests_total{outcome=\"ok\",topic=\"registry.define-project\"} 1",
        "nucleus_core_requests_total{outcome=\"invalid_argument\",topic=\"registry.define-"
        "project\"",
        "nucleus_core_requests_total{outcome=\"not_found\",topic=\"unknown\"} 1",
        "nucleus_core_request_seconds_count{topic=\"registry.define-project\"} 2",
        "nucleus_core_store_up 1", "nucleus_core_process_resident_memory_bytes",
        "nucleus_core_process_start_time_seconds", "nucleus_core_loop_busy_seconds_total"})
    EXPECT_NE(page.text.find(line), std::string::npos) << line << "\n" << page.text;
  EXPECT_EQ(page.text.find("mistakable"), std::string::npos);
}

}  // namespace
}  // namespace nucleus::tests
