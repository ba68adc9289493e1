// The domains observed on this process's hosts, by uuid: what runs, how each ended, which are being
// stopped, and when the next step at each may begin. It makes no calls. Runs on the service's loop.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/provisioner/driver/hypervisor.hpp"
#include "services/provisioner/grants.hpp"

namespace nucleus::provisioner {

/// Whether a domain in this state exists at the hypervisor.
bool is_present(DomainState state);

/// How a domain ended.
struct DomainEnd {
  std::uint64_t epoch = 0;
  DomainState state = DomainState::shutoff;  // shutoff or crashed
  std::string reason = {};
};

/// The work at one grant's domain. In memory only.
class DomainWork {
 public:
  bool may_begin(std::int64_t now_ms) const { return !is_busy_ && now_ms >= not_before_ms_; }
  void begin();
  void end_with_success();
  /// Delays the next step: 0.5 s after the first failure, then doubled up to `retry_ms_max`.
  void end_with_failure(std::int64_t now_ms, std::int64_t retry_ms_max);
  void begin_epoch() { is_shutdown_sent = are_adapters_released = false; }
  /// A new grant need not wait for the last failure's delay.
  void retry_now() { not_before_ms_ = 0; }

  bool is_shutdown_sent = false;       // to the guest, under the present epoch
  bool are_adapters_released = false;  // since the last start

 private:
  bool is_busy_ = false;
  std::int64_t retry_ms_ = 0;       // the last delay; 0 = the last step did not fail
  std::int64_t not_before_ms_ = 0;  // steady clock
};

class Domains {
 public:
  /// Whether all domains that run are known: listed, and no event was missed since.
  bool is_listed() const { return is_listed_; }
  /// Events may have been missed: what is known may be wrong until the next list.
  void set_unlisted();
  /// Call before the hypervisor is asked for its list; returns a number to pass to set_list().
  std::uint64_t begin_list() { return ++now_; }
  /// Replaces what is known by the list, except for what has changed since it was requested.
  void set_list(std::vector<DomainSeen> domains, std::uint64_t begun);

  /// Takes a driver's event. False: it is about no domain of ours, or about an earlier run.
  bool observe(const DomainSeen& seen);
  /// Takes the driver's success. Its events may have come first, even that of the end.
  void add_created(const DomainSeen& seen);
  void remove(const std::string& uuid);

  /// The domain that runs with this uuid, or null.
  const DomainSeen* find(const std::string& uuid) const;
  const std::map<std::string, DomainSeen>& all() const { return seen_; }

  /// Keeps how the domain of a grant ended, until that is recorded.
  void keep_end(const DomainSeen& seen);
  /// How the run under this epoch ended, if that was observed. What was kept is forgotten.
  std::optional<DomainEnd> take_end(const std::string& uuid, std::uint64_t epoch);

  /// Marks a domain as being stopped by a fence or as an orphan. Returns false if it already is.
  bool begin_stop(const std::string& uuid) { return stopping_.insert(uuid).second; }
  void end_stop(const std::string& uuid) { stopping_.erase(uuid); }
  bool is_stopping(const std::string& uuid) const { return stopping_.contains(uuid); }

  /// A call that creates the domain has not returned: not even after its timeout.
  bool is_being_created(const Grants::Id& id) const { return creating_.contains(id); }
  void begin_create(const Grants::Id& id) { creating_.insert(id); }
  void end_create(const Grants::Id& id) { creating_.erase(creating_.find(id)); }

  DomainWork& work(const Grants::Id& id) { return work_[id]; }
  void forget_work(const Grants::Id& id) { work_.erase(id); }
  void forget_all_work() { work_.clear(); }

  /// Asserts that only running domains of ours are held, and none under another's uuid.
  void check() const;

 private:
  bool is_listed_ = false;
  std::uint64_t now_ = 0;          // counts the changes that matter to a list under way
  std::uint64_t unlisted_at_ = 0;  // a list requested earlier is not complete
  std::map<std::string, std::uint64_t> changed_at_ = {};  // since the last list was requested
  std::map<std::string, DomainSeen> seen_ = {};
  std::map<std::string, DomainEnd> ends_ = {};
  std::set<std::string> stopping_ = {};
  std::multiset<Grants::Id> creating_ = {};
  std::map<Grants::Id, DomainWork> work_ = {};
};

}  // namespace nucleus::provisioner
