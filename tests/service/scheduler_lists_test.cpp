// The scheduler's lists on a real bus and Redis: each ends, page by page, whatever its length.
#include <gtest/gtest.h>

#include "messages/chunks.hpp"
#include "tests/service/scheduler_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::PowerAction;

class SchedulerLists : public SchedulerRoom {
 protected:
  /// The names of all entries, page after page of `limit`.
  template <class Request, class Entry, class Name>
  std::vector<std::string> all(Request request, std::vector<Entry> Request::Reply::*entries,
                               std::uint32_t limit, Name name) {
    std::vector<std::string> names;
    request.page.limit = limit;
    do {
      const auto page = ask(request);
      EXPECT_TRUE(page) << page.error().detail;
      if (!page) break;
      EXPECT_LE(((*page).*entries).size(), limit);
      for (const auto& entry : (*page).*entries) names.push_back(name(entry));
      request.page.after = page->next;
    } while (!request.page.after.empty());
    return names;
  }
  std::vector<std::string> nodes(const msg::ListNodeStatuses& request, std::uint32_t limit) {
    return all(request, &msg::NodeStatuses::nodes, limit,
               [](const msg::NodeStatus& node) { return node.node_id.value; });
  }
};

using Names = std::vector<std::string>;

TEST_F(SchedulerLists, OfNodesGoByClusterAndIndex) {
  start();
  define("c", 2);
  define("d", 1);
  for (const std::uint32_t limit : {1, 2, 3, 5, 100}) {
    EXPECT_EQ(nodes({.viewer = as_operator}, limit), (Names{"c-0", "c-1", "c-2", "d-0", "d-1"}))
        << limit;
    EXPECT_EQ(nodes({.viewer = as_operator, .cluster_id = {"d"}}, limit), (Names{"d-0", "d-1"}));
  }
  EXPECT_EQ(nodes({.viewer = as_operator, .cluster_id = {"c"}, .name = "c-1"}, 10), (Names{"c-1"}));
  EXPECT_EQ(nodes({.viewer = {.projects = {{"q"}}}}, 10), Names{});
  EXPECT_EQ(
      ask(msg::ListNodeStatuses{.viewer = as_operator, .page = {.after = "c/x"}}).error().field,
      "after");
}

TEST_F(SchedulerLists, OfComputesetsAndUsageGoByIdAndSurviveARestart) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 2);
  for (int i = 0; i < 5; ++i) {
    const auto set =
        ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .count = 1});
    ASSERT_TRUE(set) << set.error().detail;
    if (i == 4) break;  // the last one runs on
    ASSERT_TRUE(ask(msg::PowerComputeset{.computeset_id = set->computeset_id,
                                         .viewer = as_operator,
                                         .action = PowerAction::poweroff}));
    const auto grant = host.wait_for_grant(set->nodes[0].value, static_cast<unsigned>(i + 1));
    ASSERT_TRUE(grant && host.report_domain(*grant, msg::DomainState::shutoff));
    ASSERT_TRUE(eventually(
        [&] { return computeset(set->computeset_id).state == msg::ComputesetState::completed; }));
  }
  const auto id = [](const auto& entry) { return std::to_string(entry.computeset_id); };
  for (const bool is_restarted : {false, true}) {
    if (is_restarted) restart();
    for (const std::uint32_t limit : {1, 2, 4, 5, 100}) {
      EXPECT_EQ(all(msg::ListComputesets{.viewer = as_operator}, &msg::Computesets::computesets,
                    limit, id),
                (Names{"1", "2", "3", "4", "5"}));
      EXPECT_EQ(all(msg::ListUsage{.viewer = as_operator}, &msg::Usage::entries, limit, id).size(),
                5U);
    }
    EXPECT_EQ(
        ask(msg::ListComputesets{.viewer = as_operator, .states = {msg::ComputesetState::running}})
            ->computesets.size(),
        1U);
    EXPECT_EQ(ask(msg::ListComputesets{.viewer = as_operator, .computeset_id = 9}).error().code,
              ErrorCode::not_found);
    EXPECT_EQ(ask(msg::ListUsage{.viewer = as_operator, .page = {.after = "x"}}).error().field,
              "after");
  }
}

TEST_F(SchedulerLists, OfUsageAreFilteredAndSummed) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 1);
  define("d", 1, 3);
  const auto begin = [&](const char* cluster, const char* person, const char* on_behalf_of) {
    const auto set = ask(msg::StartComputeset{.cluster_id = {cluster},
                                              .viewer = as_operator,
                                              .count = 1,
                                              .person_id = {person},
                                              .on_behalf_of = on_behalf_of});
    EXPECT_TRUE(set) << set.error().detail;
    return *set;
  };
  const auto ended = begin("c", "gateway", "eve");
  ASSERT_TRUE(ask(msg::PowerComputeset{.computeset_id = ended.computeset_id,
                                       .viewer = as_operator,
                                       .action = PowerAction::poweroff}));
  const auto grant = host.wait_for_grant("c-1");
  ASSERT_TRUE(grant && host.report_domain(*grant, msg::DomainState::shutoff));
  ASSERT_TRUE(eventually([&] { return computeset(1).state == msg::ComputesetState::completed; }));
  begin("c", "ada", "");
  begin("d", "gateway", "ann");
  const auto id = [](const auto& entry) { return std::to_string(entry.computeset_id); };
  const auto name = [](const auto& total) {
    return total.name + ":" + std::to_string(total.computeset_count);
  };
  const auto listed = [&](const msg::ListUsage& request) {
    return all(request, &msg::Usage::entries, 1, id);
  };
  const auto summed = [&](msg::UsageGroup by, const msg::ListUsage& usage = {as_operator}) {
    Names names;
    msg::SumUsage request{.usage = usage, .by = by};
    request.usage.page.limit = 1;
    do {
      const auto page = ask(request);
      EXPECT_TRUE(page) << page.error().detail;
      if (!page) break;
      for (const auto& total : page->totals) names.push_back(name(total));
      request.usage.page.after = page->next;
    } while (!request.usage.page.after.empty());
    return names;
  };
  for (const bool is_restarted : {false, true}) {
    if (is_restarted) restart();
    EXPECT_EQ(listed({.viewer = as_operator, .person_id = {"gateway"}}), (Names{"1", "3"}));
    EXPECT_EQ(listed({.viewer = as_operator, .cluster_id = {"c"}}), (Names{"1", "2"}));
    EXPECT_EQ(listed({.viewer = as_operator, .on_behalf_of = "ann"}), (Names{"3"}));
    EXPECT_EQ(listed({.viewer = as_operator, .project_id = {"q"}}), Names{});
    EXPECT_EQ(summed(msg::UsageGroup::person), (Names{"ada:1", "gateway:2"}));
    EXPECT_EQ(summed(msg::UsageGroup::on_behalf_of), (Names{":1", "ann:1", "eve:1"}));
    EXPECT_EQ(summed(msg::UsageGroup::cluster, {.viewer = as_operator, .person_id = {"gateway"}}),
              (Names{"c:1", "d:1"}));
    EXPECT_EQ(summed(msg::UsageGroup::project, {.viewer = {.projects = {{"p"}}}}), (Names{"p:3"}));
    EXPECT_EQ(summed(msg::UsageGroup::project, {.viewer = {.projects = {{"q"}}}}), Names{});
    const auto entry = ask(msg::ListUsage{.viewer = as_operator})->entries.front();
    EXPECT_EQ(entry.node_list, "c-1");
    EXPECT_EQ(entry.memory_mb, 512U);
  }
  EXPECT_EQ(ask(msg::SumUsage{.usage = {as_operator}}).error().field, "by");
  EXPECT_EQ(ask(msg::SumUsage{.usage = {.viewer = as_operator, .page = {.after = "x"}},
                              .by = msg::UsageGroup::person})
                .error()
                .field,
            "after");
}

TEST_F(SchedulerLists, HoldAllocationsOfProjectsThatExistOnly) {
  start();
  const msg::DefineAllocation request{.allocation_id = {"a"}, .project_id = {"q"}};
  EXPECT_EQ(ask(request).error().field, "project_id");
  ASSERT_TRUE(registry_.emit(msg::ProjectDefined{{"q"}}));
  ASSERT_TRUE(eventually([&] { return ask(request).has_value(); }));
  restart();
  EXPECT_TRUE(ask(request)) << "the project is known after a restart";
  ASSERT_TRUE(registry_.emit(msg::ProjectRemoved{{"q"}}));
  ASSERT_TRUE(eventually([&] { return !ask(request); }));
  for (const bool is_restarted : {false, true}) {
    if (is_restarted) restart();
    const auto refused = ask(request);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::not_found);
    EXPECT_EQ(refused.error().field, "project_id");
    EXPECT_EQ(ask(msg::ListAllocations{.viewer = as_operator})->allocations[0].project_id.value,
              "");
  }
}

TEST_F(SchedulerLists, OfHostsAndAllocationsGoById) {
  start();
  define("c", 0);  // of project p
  std::vector<std::unique_ptr<Host>> hosts;
  for (const char* name : {"h1", "h2", "h3"}) {
    hosts.push_back(std::make_unique<Host>(deployment_, name));
    ASSERT_TRUE(hosts.back()->report());
    ASSERT_TRUE(ask(msg::DefineAllocation{.allocation_id = {name}, .project_id = {"p"}}));
  }
  ASSERT_TRUE(ask(msg::DrainHost{.host_id = {"h2"}}));
  const auto host_id = [](const msg::Host& host) { return host.host_id.value; };
  EXPECT_EQ(all(msg::ListHosts{}, &msg::Hosts::hosts, 2, host_id), (Names{"h1", "h2", "h3"}));
  EXPECT_EQ(
      all(msg::ListHosts{.states = {msg::HostState::drained}}, &msg::Hosts::hosts, 2, host_id),
      (Names{"h2"}));
  EXPECT_EQ(all(msg::ListHosts{.host_id = {"h3"}}, &msg::Hosts::hosts, 2, host_id), (Names{"h3"}));
  const auto allocations = [&](const msg::ListAllocations& request) {
    return all(request, &msg::Allocations::allocations, 2,
               [](const msg::Allocation& one) { return one.allocation_id.value; });
  };
  EXPECT_EQ(allocations({.viewer = as_operator}), (Names{"h1", "h2", "h3"}));
  EXPECT_EQ(allocations({.viewer = as_operator, .allocations = {{"h2"}}}), (Names{"h2"}));
  EXPECT_EQ(allocations({.viewer = {.projects = {{"q"}}}}), Names{});
}

TEST_F(SchedulerLists, RefuseAPageThatIsTooLarge) {
  start();
  EXPECT_EQ(ask(msg::ListHosts{.page = {.limit = 1'001}}).error().field, "limit");
  EXPECT_EQ(ask(msg::ListUsage{.page = {.limit = 1'001}}).error().field, "limit");
}

TEST_F(SchedulerLists, OfNodesSayHowFarTheirImagesAreCopied) {
  start();
  Events events(deployment_);
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 0);
  ASSERT_TRUE(power("c-0", PowerAction::poweron));
  const auto grant = host.wait_for_grant("c-0");
  ASSERT_TRUE(grant);
  ASSERT_TRUE(host.report_domain(*grant, msg::DomainState::running));
  ASSERT_TRUE(becomes("c", 0, msg::NodeState::active));
  EXPECT_FALSE(state_of("c").image_copy);
  auto report = host.a_report();
  report.image_copies = {
      {.node_id = {"c-0"}, .copied_bytes = 1, .total_bytes = 4, .bytes_per_s = 2}};
  const auto changed = events.all<msg::NodeChanged>().size();
  ASSERT_TRUE(host.report(report));
  ASSERT_TRUE(state_of("c").image_copy);
  EXPECT_EQ(*state_of("c").image_copy, report.image_copies.front());
  EXPECT_EQ(ask(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}, .name = "c-0"})
                ->nodes.front()
                .image_copy,
            report.image_copies.front());
  EXPECT_TRUE(eventually([&] { return events.all<msg::NodeChanged>().size() == changed + 1; }))
      << "answers that do not have it are old";
  report.image_copies.front().copied_bytes = 3;
  ASSERT_TRUE(host.report(report));
  EXPECT_EQ(state_of("c").image_copy->copied_bytes, 3U);
  EXPECT_EQ(events.all<msg::NodeChanged>().size(), changed + 1) << "progress is no event";
  for (auto wrong : {msg::ImageCopy{.copied_bytes = 5, .total_bytes = 4},
                     msg::ImageCopy{.total_bytes = msg::content_bytes_max + 1},
                     msg::ImageCopy{.reason = "two\nlines"}}) {
    auto broken = report;
    broken.image_copies = {wrong};
    EXPECT_EQ(host.report(broken).error().field, "image_copies");
  }
  auto many = report;
  many.image_copies.resize(msg::image_copies_max + 1);
  EXPECT_EQ(host.report(many).error().field, "image_copies");
  report.image_copies.clear();
  ASSERT_TRUE(host.report(report));
  EXPECT_FALSE(state_of("c").image_copy) << "it is complete";
}

}  // namespace
}  // namespace nucleus::tests
