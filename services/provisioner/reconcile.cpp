#include "services/provisioner/reconcile.hpp"

namespace nucleus::provisioner {

Step next_step(const StoredGrant& stored, const std::optional<DomainSeen>& seen, bool is_fenced,
               bool is_asked, std::int64_t now_unix_ms) {
  const auto& grant = stored.grant;
  // A leftover of another placement goes first, whatever is wanted now.
  if (seen && seen->epoch != grant.epoch) return Step::destroy;
  if (stored.is_void) return seen ? Step::destroy : Step::forget;
  if (stored.is_ended) return seen ? Step::destroy : Step::none;
  if (is_fenced) return seen ? Step::destroy : (stored.has_run ? Step::end : Step::none);
  if (!grant.is_on) {
    if (!seen) return Step::end;
    if (!grant.is_graceful || now_unix_ms >= grant.stop_by_unix_ms) return Step::destroy;
    return is_asked ? Step::none : Step::shut_down;
  }
  if (!seen) return stored.has_run ? Step::end : Step::create;
  if (!stored.has_run) return Step::record;
  if (stored.resets_done < grant.resets) return Step::reset;
  if (stored.reboots_done < grant.reboots) return Step::reboot;
  return Step::none;
}

}  // namespace nucleus::provisioner
