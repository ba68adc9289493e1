// The hosts and what they have free. An index of the view: its mutator alone changes it.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

struct Need;

/// Where a host is, and what it is connected to.
struct HostPlace {
  std::string host_class = std::string(msg::host_class_default);
  std::string rack = {};                  // empty = not known
  std::vector<std::string> fabrics = {};  // that it has adapters on, by name
  auto operator<=>(const HostPlace&) const = default;
};

class HostPool {
 public:
  /// The first reservation of a host that has not ended; by default there is none. A host of a
  /// batch system is kept in the same way, for the job that has it (`batch_hold`).
  struct Hold {
    std::int64_t from_unix_s = std::numeric_limits<std::int64_t>::max();
    std::int64_t reservation_id = 0;  // negative: of a batch system
    bool is_active = false;           // it has begun
    auto operator<=>(const Hold&) const = default;
  };
  struct Host {
    Resources total = {};  // CPUs are counted `scheduler.cpu_overcommit` times
    Resources used = {};   // by the nodes placed there
    bool is_open = false;  // up and not drained: nodes may be placed there
    bool keeps_volumes = false;
    bool is_suspect = false;  // starts failed there: it is used after all others
    Hold hold = {};
    HostPlace place = {};

    /// Below zero if the host became smaller.
    Resources free() const { return total - used; }
    friend bool operator==(const Host&, const Host&) = default;
  };
  /// Its place in the order: those not suspect first, then most CPUs free, then by id.
  struct Rank {
    bool is_suspect = false;
    std::int64_t cpus_free_negated = 0;
    msg::HostId host_id = {};
    auto operator<=>(const Rank&) const = default;
  };

  void put(const msg::HostId& id, const Resources& total, bool is_open, bool keeps_volumes = false,
           bool is_suspect = false, const HostPlace& place = {});
  void hold(const msg::HostId& id, const Hold& hold);
  void use(const msg::HostId& id, const Resources& size);
  void release(const msg::HostId& id, const Resources& size);

  /// Null if the host is unknown and has no nodes.
  const Host* find(const msg::HostId& id) const;
  const std::unordered_map<msg::HostId, Host>& hosts() const { return hosts_; }
  /// Open hosts are in one group if they have the same hold and place; no group is empty.
  struct GroupKey {
    Hold hold = {};
    HostPlace place = {};
    auto operator<=>(const GroupKey&) const = default;
  };
  using Groups = std::map<GroupKey, std::set<Rank>>;
  const Groups& groups() const { return groups_; }
  struct Rack {
    Resources free = {};         // of its open hosts
    std::size_t host_count = 0;  // open ones; at least 1
    friend bool operator==(const Rack&, const Rack&) = default;
  };
  /// Those that have an open host, by name. Hosts whose rack is not known are in one without name.
  const std::map<std::string, Rack>& racks() const { return racks_; }
  /// Whether any open host has the class and the fabrics that the node needs.
  bool is_any_open(const Need& need) const;
  /// Of all open hosts.
  const Resources& open_free() const { return open_free_; }

  static Rank rank(const msg::HostId& id, const Host& host, const Resources& free) {
    return {host.is_suspect, -free.cpus, id};
  }

  friend bool operator==(const HostPool&, const HostPool&) = default;

 private:
  template <class Change>
  void change(const msg::HostId& id, Change edit);
  void add_open(const msg::HostId& id, const Host& host);
  void remove_open(const msg::HostId& id, const Host& host);

  std::unordered_map<msg::HostId, Host> hosts_ = {};
  Groups groups_ = {};
  std::map<std::string, Rack> racks_ = {};
  Resources open_free_ = {};
};

/// What stands for a reservation where a batch system gives out the hosts: the job of this
/// computeset, or 0 = a job of others, or none.
constexpr std::int64_t batch_hold(msg::ComputesetId id) {
  return id == 0 ? std::numeric_limits<std::int64_t>::min() : -id;
}

/// What a node needs of a host.
struct Need {
  Resources size = {};
  msg::HostId host_id = {};         // this host and no other; empty = any
  bool is_disk_in_store = false;    // no host that keeps volumes of its own
  std::int64_t reservation_id = 0;  // only hosts of this one, once it has begun; 0 = none;
                                    // negative: only hosts of a batch job
  std::int64_t until_unix_s = 0;    // if 0 = none: no host on which one begins before this
  std::optional<std::string> host_class = {};  // only hosts of this one; not set = of any
  std::vector<std::string> fabrics = {};       // by name: only hosts with adapters on each of them
  friend bool operator==(const Need&, const Need&) = default;
};

/// Whether the reservations of a host allow the node there.
inline bool is_allowed(const HostPool::Hold& hold, const Need& need) {
  if (need.reservation_id != 0) return hold.is_active && hold.reservation_id == need.reservation_id;
  return !hold.is_active && need.until_unix_s <= hold.from_unix_s;
}

inline bool has_fabrics(const HostPlace& place, const Need& need) {
  return std::ranges::includes(place.fabrics, need.fabrics);
}

inline bool suits(const HostPlace& place, const Need& need) {
  return (!need.host_class || *need.host_class == place.host_class) && has_fabrics(place, need);
}

inline bool is_allowed(const HostPool::GroupKey& group, const Need& need) {
  return suits(group.place, need) && is_allowed(group.hold, need);
}

/// Whether the host is one that the node may be on, whatever room it has.
inline bool may_host(const msg::HostId& id, const HostPool::Host& host, const Need& need) {
  return (need.host_id.empty() || need.host_id == id) &&
         !(need.is_disk_in_store && host.keeps_volumes) &&
         is_allowed({.hold = host.hold, .place = host.place}, need);
}

/// The pool as a plan leaves it: an overlay of the hosts that the plan takes from.
class HostPoolDraft {
 public:
  explicit HostPoolDraft(const HostPool& pool);

  /// The open host with most CPUs free that has room, the first by id of equals; null if none has.
  /// It looks at the named host alone, if the need names one, and at none of `avoided`. Valid until
  /// something is taken.
  const msg::HostId* find_roomiest(const Need& need, std::span<const msg::HostId> avoided = {});
  /// As above, among the hosts of one rack; a host that the need names may be in any.
  const msg::HostId* find_roomiest_in(const std::string& rack, const Need& need);
  /// The hold of an open host that has room, but is not allowed by its reservation; null if there
  /// is none. It looks at the named host alone, if the need names one.
  const HostPool::Hold* find_hold(const Need& need);
  /// The host is open and has room.
  bool has_room(const msg::HostId& id, const Need& need) const;
  Resources free(const msg::HostId& id) const;
  /// Of all open hosts.
  Resources open_free() const { return pool_.open_free() - taken_; }
  /// Of the open hosts of each rack, by its name.
  std::map<std::string, Resources> free_by_rack() const;
  const HostPool& pool() const { return pool_; }

  /// Of an open host.
  void take(const msg::HostId& id, const Resources& size) { change(id, size); }
  void give_back(const msg::HostId& id, const Resources& size) { change(id, Resources{} - size); }

 private:
  struct Group {
    const std::set<HostPool::Rank>* order = nullptr;          // as in the pool
    std::set<HostPool::Rank>::const_iterator untouched = {};  // each host before it was taken from
    std::set<HostPool::Rank> touched = {};                    // hosts that were taken from
  };
  void change(const msg::HostId& id, const Resources& taken);
  const msg::HostId* find_roomiest(const Need& need, std::span<const msg::HostId> avoided,
                                   const std::string* rack);
  const HostPool::Rank* find_roomiest(Group& group, const Need& need,
                                      std::span<const msg::HostId> avoided = {}) const;

  const HostPool& pool_;
  std::unordered_map<msg::HostId, Resources> free_ = {};  // of hosts that were taken from
  std::map<HostPool::GroupKey, Group> groups_ = {};
  Resources taken_ = {};
  std::map<std::string, Resources> taken_by_rack_ = {};
};

}  // namespace nucleus::scheduler
