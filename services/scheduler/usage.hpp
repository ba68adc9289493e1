// What computesets were charged, one by one and in sums: pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "messages/allocations.hpp"
#include "services/scheduler/computeset_filter.hpp"

namespace nucleus::scheduler {

/// What one was charged within `period`; the names of an unfinished one's nodes are those of now.
msg::UsageEntry usage_of(const View& view, const StoredComputeset& stored, const Period& period,
                         std::int64_t now_unix_s);

/// Sums by the names of projects, people, ….
class UsageSums {
 public:
  UsageSums(msg::UsageGroup by, const Period& period, std::int64_t now_unix_s)
      : by_{by}, period_{period}, now_unix_s_{now_unix_s} {}

  /// Adds all that match, except finished ones whose charge must be read from the archive:
  /// `take_unread` returns those.
  void add_all(const View& view, const ComputesetFilter& filter);
  void add(const StoredComputeset& stored);
  std::vector<msg::ComputesetId> take_unread(std::size_t limit);
  /// By name.
  const std::map<std::string, msg::UsageTotal>& totals() const { return totals_; }

 private:
  void add(const std::string& name, const msg::UsageTotal& more);

  msg::UsageGroup by_;
  Period period_;
  std::int64_t now_unix_s_;
  std::map<std::string, msg::UsageTotal> totals_ = {};
  std::vector<msg::ComputesetId> unread_ = {};
};

}  // namespace nucleus::scheduler
