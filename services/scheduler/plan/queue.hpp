// The computesets that wait, in the order of their priorities. The first one that waits for room is
// promised the hosts that it will have by its forecast; a later one passes it only if it keeps that
// promise (known as EASY backfill). Each reservation and each class of hosts has a queue of its
// own, since its hosts are its own.
#pragma once

#include <expected>
#include <map>

#include "services/scheduler/plan/draft.hpp"
#include "services/scheduler/plan/forecast.hpp"

namespace nucleus::scheduler {

/// What a node needs before it can be placed, whatever room there is; `unknown` if it has all. With
/// `host_id`, before it can be placed there.
Wait missing_for(Draft& draft, const StoredNode& node, const msg::HostId& host_id = {});

/// The first of a computeset's nodes that cannot be placed yet, whatever room there is; `unknown`
/// if there is none.
Wait missing_for_all(Draft& draft, const StoredComputeset& stored);

class Queue {
 public:
  explicit Queue(Draft& draft) : draft_{draft} {}

  /// Starts the next one of the order if all its nodes, or as many as it asks for at least, can be
  /// placed together and the first one starts no later for it; otherwise records why it waits.
  void place(msg::ComputesetId id);
  /// The next one of the order waits as it did after the last pass.
  void keep_waiting(msg::ComputesetId id);
  /// Hosts for more nodes of a computeset that runs: all of `needs`, so that the first one that
  /// waits starts no later; otherwise why there are none.
  std::expected<std::vector<msg::HostId>, Wait> find_more(const HostChoice& choice,
                                                          const Needs& needs);

 private:
  /// Nodes of one kind that did not fit. Room only becomes less in a pass: as many or more of as
  /// large or larger ones do not fit either.
  struct Misfit {
    Need need = {};
    std::size_t count = 0;
  };
  using Misfits = std::vector<Misfit>;
  /// The first one that waits for room.
  struct Head {
    msg::ComputesetId id = 0;
    Forecast promised = {};
    HostPoolDraft room;    // for what runs longer than up to its start: less than there is now, by
                           // what was promised
    Misfits misfits = {};  // of that room
  };

  std::optional<std::vector<msg::HostId>> find_hosts(Head* head, const Needs& needs);
  bool would_fit(const Needs& needs);
  std::optional<std::vector<msg::HostId>> find_hosts(HostPoolDraft& pool, Misfits& misfits,
                                                     const Needs& needs);
  Wait why_no_room(const Needs& needs);
  Wait why_no_host(const Needs& needs);
  bool is_too_large(const Needs& needs);
  template <class TryToFit>
  static bool find_misfit(Misfits& misfits, const Needs& needs, TryToFit try_to_fit);
  void take(Head& head, const Needs& needs, const std::vector<msg::HostId>& hosts, bool is_longer);
  /// Makes it the head if its start can be forecast.
  Head* promise(const StoredComputeset& stored, const Needs& needs);

  Draft& draft_;
  std::map<HostChoice, Head> heads_ = {};
  Misfits misfits_ = {};    // of the room that there is now
  Misfits too_large_ = {};  // for empty hosts
};

}  // namespace nucleus::scheduler
