#include "services/provisioner/plan_step.hpp"

#include "core/assert.hpp"

namespace nucleus::provisioner {

namespace {

using msg::HibernationOutcome;

/// Its hibernation, or its resumption, is still to be tried.
bool is_hibernation_due(const StoredGrant& stored) {
  return !stored.grant.hibernation_id.empty() && stored.hibernation == HibernationOutcome::unknown;
}

Step plan_domain_step(const StoredGrant& stored, const DomainView& domain) {
  const auto& grant = stored.grant;
  const bool is_present = domain.epoch.has_value();
  const bool has_run = stored.phase != GrantPhase::pending;
  // Whether it runs is not known: it is not over before the call is.
  if (!is_present && domain.is_being_created) return Step::none;
  // A domain of another epoch is destroyed first, whatever is desired now.
  if (is_present && *domain.epoch != grant.epoch) return Step::destroy;
  if (stored.is_revoked) return is_present ? Step::destroy : Step::forget;
  if (stored.phase == GrantPhase::ended) return is_present ? Step::destroy : Step::none;
  if (domain.is_fenced)
    return is_present ? Step::destroy : (has_run ? Step::record_end : Step::none);
  if (!grant.is_on) {
    if (is_hibernation_due(stored) && has_run) return Step::save;
    if (is_hibernation_due(stored) && is_present) return Step::record_running;
    if (!is_present) return Step::record_end;
    if (stored.hibernation == HibernationOutcome::saved) return Step::destroy;
    if (!grant.is_graceful || domain.now_unix_ms >= grant.stop_by_unix_ms) return Step::destroy;
    return domain.is_shutdown_sent ? Step::none : Step::shut_down;
  }
  if (!is_present && has_run) return Step::record_end;
  if (!is_present) return is_hibernation_due(stored) ? Step::resume : Step::create;
  if (!has_run) return Step::record_running;
  if (is_hibernation_due(stored)) return Step::settle;
  if (stored.resets_done < grant.resets) return Step::reset;
  if (stored.reboots_done < grant.reboots) return Step::reboot;
  return Step::none;
}

}  // namespace

Step plan_step(const StoredGrant& stored, const DomainView& domain) {
  const Step step = plan_domain_step(stored, domain);
  const bool is_end = step == Step::record_end || step == Step::forget;
  return is_end && domain.has_adapters ? Step::release : step;
}

bool is_driver_step(Step step) {
  switch (step) {
    case Step::create:
    case Step::destroy:
    case Step::shut_down:
    case Step::reboot:
    case Step::reset:
    case Step::release:
    case Step::save:
    case Step::resume:
    case Step::settle:
      return true;
    case Step::unknown:
    case Step::none:
    case Step::record_running:
    case Step::record_end:
    case Step::forget:
      break;
  }
  return false;
}

bool may_advance(GrantPhase from, GrantPhase to) {
  switch (to) {
    case GrantPhase::running:
      return from == GrantPhase::pending;
    case GrantPhase::ended:
      return from == GrantPhase::pending || from == GrantPhase::running;
    case GrantPhase::pending:
    case GrantPhase::unknown:
      break;
  }
  return false;
}

StoredGrant advanced(StoredGrant stored, GrantPhase to) {
  if (stored.phase == to) return stored;
  NUCLEUS_ASSERT(may_advance(stored.phase, to));
  stored.phase = to;
  return stored;
}

}  // namespace nucleus::provisioner
