// The backend without a batch system: computesets get hosts of the view in the order of their
// priorities (priority.hpp); a later one passes an earlier one if that starts no later for it
// (plan/queue.hpp).
#pragma once

#include "services/scheduler/backend.hpp"

namespace nucleus::scheduler {

class EmbeddedBackend final : public Backend {
 public:
  void submit(Draft& draft, msg::ComputesetId id) override;
  void place_submitted(Draft& draft) override;
  std::expected<std::vector<msg::HostId>, Wait> find_more(Draft& draft,
                                                          const StoredComputeset& stored,
                                                          const Needs& needs) override;
};

}  // namespace nucleus::scheduler
