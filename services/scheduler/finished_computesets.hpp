// The computesets that have ended, by what lists filter on. Their records are in the archive and
// are read from there by id, page by page: only this index stays in memory.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

class FinishedComputesets {
 public:
  struct Summary {
    msg::ComputesetId id = 0;
    std::int64_t created_unix_s = 0;
    std::int64_t start_unix_s = 0;  // 0 = it never started
    std::int64_t end_unix_s = 0;
    std::int64_t milli_su = 0;  // see ComputesetSummary
    std::int64_t charge_end_unix_s = 0;
    std::uint32_t cluster = 0;  // numbers of names, see `name`
    std::uint32_t project = 0;
    std::uint32_t allocation = 0;
    std::uint32_t person = 0;
    std::uint32_t on_behalf_of = 0;
    std::uint32_t node_count = 0;
    msg::ComputesetState state = msg::ComputesetState::unknown;
    friend bool operator==(const Summary&, const Summary&) = default;
  };

  void put(const ComputesetSummary& computeset);
  /// Null if there is none.
  const Summary* find(msg::ComputesetId id) const;
  /// By id.
  const std::vector<Summary>& all() const { return all_; }
  const std::string& name(std::uint32_t number) const { return names_[number]; }
  std::size_t name_count() const { return names_.size(); }
  /// The number of a name; none if no finished computeset has it.
  std::optional<std::uint32_t> find_number(const std::string& name) const;

 private:
  std::uint32_t number_of(const std::string& name);

  std::vector<Summary> all_ = {};
  std::vector<std::string> names_ = {};
  std::unordered_map<std::string, std::uint32_t> numbers_ = {};
};

}  // namespace nucleus::scheduler
