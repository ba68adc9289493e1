// nucleus allocation: set, list.
#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <limits>
#include <optional>

#include "messages/allocations.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"
#include "operator/tables.hpp"

namespace nucleus::operator_ {

namespace {

using core::ErrorCode;

constexpr std::int64_t hour_s = 3'600;

struct AllocationArguments {
  std::string state = {};
  std::string name = {};
  std::string project = {};
  std::uint32_t limit_core_hours = 0;
  std::uint32_t shares = 0;
  std::optional<std::int64_t> start_unix_s = {};
  std::optional<std::int64_t> end_unix_s = {};
  std::string budget = {};
  bool is_closed = false;
  bool has_no_limit = false;
  bool has_no_budget = false;
};

/// `50=warn,90=refuse`.
core::Result<std::vector<msg::BudgetStep>> parse_budget(const std::string& text) {
  std::vector<msg::BudgetStep> budget;
  for (std::size_t from = 0; from <= text.size();) {
    const auto end = std::min(text.find(',', from), text.size());
    const auto step = text.substr(from, end - from);
    const auto equals = step.find('=');
    msg::BudgetStep one;
    const auto* last = step.data() + std::min(equals, step.size());
    const auto parsed = std::from_chars(step.data(), last, one.percent);
    if (equals != std::string::npos)
      one.action = msg::enum_of<msg::BudgetAction>(step.substr(equals + 1));
    if (parsed.ec != std::errc{} || parsed.ptr != last || one.action == msg::BudgetAction::unknown)
      return core::refuse(ErrorCode::invalid_argument,
                          "--budget: " + msg::shown(step) +
                              " is not PERCENT=ACTION: warn, refuse, hibernate or terminate",
                          "budget");
    budget.push_back(one);
    from = end + 1;
  }
  return budget;
}

core::Result<int> set_allocation(const AllocationArguments& arguments) {
  msg::DefineAllocation request{.allocation_id = {arguments.name},
                                .project_id = {arguments.project},
                                .limit_core_s = arguments.limit_core_hours * hour_s,
                                .shares = arguments.shares,
                                .start_unix_s = arguments.start_unix_s,
                                .end_unix_s = arguments.end_unix_s};
  if (arguments.is_closed || arguments.has_no_limit) request.is_closed = arguments.is_closed;
  if (arguments.has_no_budget) request.budget.emplace();
  if (!arguments.budget.empty()) {
    auto budget = parse_budget(arguments.budget);
    if (!budget) return std::unexpected(budget.error());
    request.budget = std::move(*budget);
  }
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto defined = (*opened)->call(request);
  if (!defined) return std::unexpected(defined.error());
  std::cout << allocation_heading() << allocation_row(*defined);
  return 0;
}

core::Result<int> list_allocations(const AllocationArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto listed =
      call_all_pages(**opened, msg::ListAllocations{.viewer = {.is_operator = true}},
                     &msg::Allocations::allocations);
  if (!listed) return std::unexpected(listed.error());
  std::cout << allocation_heading();
  for (const auto& allocation : *listed) std::cout << allocation_row(allocation);
  return 0;
}

void describe_set(CommandOptions& options, AllocationArguments& arguments) {
  options.state(arguments.state);
  options.add("NAME", arguments.name, "name of the allocation").name().required();
  options.add("--project", arguments.project, "the project that it is for").name().required();
  auto limit =
      options.add("--limit-core-hours", arguments.limit_core_hours, "how much it pays for");
  limit.between(1, std::numeric_limits<std::uint32_t>::max());
  options
      .add("--shares", arguments.shares, "its part of the hosts, compared with others; 1 at first")
      .between(1, msg::allocation_shares_max);
  options.add("--start", arguments.start_unix_s,
              "nothing is started before; seconds since 1970, as date +%s prints them; 0 = always");
  options.add("--end", arguments.end_unix_s,
              "its computesets are ended then; seconds since 1970; 0 = never");
  auto budget = options.add("--budget", arguments.budget,
                            "what happens as it is used, such as 80=warn,95=refuse,99=terminate");
  options.flag("--no-budget", arguments.has_no_budget, "nothing happens as it is used")
      .excludes(budget);
  auto close = options.flag("--close", arguments.is_closed, "it pays for nothing more");
  close.excludes(limit);
  options.flag("--no-limit", arguments.has_no_limit, "it pays for everything")
      .excludes(limit)
      .excludes(close);
}

}  // namespace

void add_allocation(Commands& commands) {
  auto group = commands.group("allocation", "who pays for computesets, and how much");
  group.add<AllocationArguments>("set", "create an allocation, or change what is given of it",
                                 set_allocation, describe_set);
  group.add<AllocationArguments>("list", "list all allocations", list_allocations,
                                 [](CommandOptions& options, AllocationArguments& arguments) {
                                   options.state(arguments.state);
                                 });
}

}  // namespace nucleus::operator_
