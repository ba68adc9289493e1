// The report of a run over the links of a cluster: which links are slow, and which node they share.
// Pure.
#pragma once

#include <cstdint>

#include "messages/overhead.hpp"
#include "services/overhead/selection.hpp"

namespace nucleus::overhead {

/// Nodes, links, medians and slow links. Rank i runs on node i; `internal` if the ranks report
/// something else.
core::Result<msg::LinksReport> report_of_links(const Selection& selection, const msg::LinksRun& run,
                                               std::uint32_t slow_permille);

/// Sets the medians, the slow links and the node they share.
void judge_links(msg::LinksReport& report, std::uint32_t slow_permille);

}  // namespace nucleus::overhead
