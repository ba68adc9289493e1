// Classes of hosts: their prices, and which host has which.
#pragma once

#include "core/result.hpp"
#include "messages/host_classes.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// A class with this price, as messages show it.
msg::HostClass class_shown(const View& view, const std::string& name, const msg::Price& price);

core::Result<Plan> plan_host_class(const View& view, const msg::DefineHostClass& request,
                                   std::int64_t now_unix_ms);

core::Result<Plan> plan_remove_host_class(const View& view, const msg::RemoveHostClass& request,
                                          std::int64_t now_unix_ms);

core::Result<Plan> plan_classify_host(const View& view, const msg::ClassifyHost& request,
                                      std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
