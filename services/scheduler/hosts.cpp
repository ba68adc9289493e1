// The scheduler's requests about hosts, their classes and their adapters.
#include "services/scheduler/plan/hosts.hpp"

#include "core/list/page_builder.hpp"
#include "services/scheduler/plan/adapters.hpp"
#include "services/scheduler/plan/host_classes.hpp"
#include "services/scheduler/service.hpp"
#include "services/scheduler/statuses.hpp"

namespace nucleus::scheduler {

core::Result<msg::Done> Service::remove_host(const msg::RemoveHost& request,
                                             core::Context& context) {
  auto plan = plan_remove_host(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  auto removed = ledger_.apply(std::move(*plan), msg::Done{}, context);
  if (removed) heartbeats_.forget(request.host_id);
  return removed;
}

core::Result<msg::Done> Service::drain_host(const msg::DrainHost& request, core::Context& context) {
  auto plan = plan_drain(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  return ledger_.apply(std::move(*plan), msg::Done{}, context);
}

core::Result<msg::Host> Service::classify_host(const msg::ClassifyHost& request,
                                               core::Context& context) {
  auto plan = plan_classify_host(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto& id = request.host_id;
  const auto host = status_of(*plan->changes.hosts.at(id), view_.pool().find(id)->used);
  return ledger_.apply(std::move(*plan), host, context);
}

core::Result<msg::HostClass> Service::define_host_class(const msg::DefineHostClass& request,
                                                        core::Context& context) {
  auto plan = plan_host_class(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto defined = class_shown(view_, request.name, request.price);
  return ledger_.apply(std::move(*plan), defined, context);
}

core::Result<msg::Done> Service::remove_host_class(const msg::RemoveHostClass& request,
                                                   core::Context& context) {
  auto plan = plan_remove_host_class(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  return ledger_.apply(std::move(*plan), msg::Done{}, context);
}

core::Result<void> Service::handle_partitions_joined(const msg::PartitionsJoined& event,
                                                     core::Context& context) {
  return ledger_.apply(plan_partitions_joined(view_, event, context.now_unix_ms()), context);
}

core::Result<void> Service::handle_partitions_left(const msg::PartitionsLeft& event,
                                                   core::Context& context) {
  return ledger_.apply(plan_partitions_left(view_, event, context.now_unix_ms()), context);
}

core::Result<msg::HostClasses> Service::list_host_classes(const msg::ListHostClasses& request,
                                                          core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  std::set<std::string> names{std::string(msg::host_class_default)};
  for (const auto& [name, stored] : view_.host_classes()) names.insert(name);
  core::PageBuilder<msg::HostClass> page{request.page};
  for (auto name = names.upper_bound(request.page.after); name != names.end(); ++name) {
    if (!request.name.empty() && request.name != *name) continue;
    if (!page.add(class_shown(view_, *name, view_.price_of(*name)), *name)) break;
  }
  return msg::HostClasses{.classes = page.take(), .next = page.next()};
}

}  // namespace nucleus::scheduler
