// Why things are in their state, and what a start would do. These plans change nothing.
#pragma once

#include "core/result.hpp"
#include "messages/explanations.hpp"
#include "services/scheduler/backend.hpp"

namespace nucleus::scheduler {

/// `stored`: as in the view, or from the archive.
msg::Explanation explain_computeset(const View& view, const msg::Viewer& viewer,
                                    const StoredComputeset& stored, std::int64_t now_unix_ms);

core::Result<msg::Explanation> explain_node(const View& view, const msg::ExplainNode& request,
                                            std::int64_t now_unix_ms);

core::Result<msg::Explanation> explain_host(const View& view, const msg::ExplainHost& request,
                                            std::int64_t now_unix_ms);

core::Result<msg::StartPlan> explain_start(const View& view, Backend& backend,
                                           const msg::StartComputeset& request,
                                           std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
