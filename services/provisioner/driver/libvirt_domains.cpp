#include "services/provisioner/driver/libvirt_domains.hpp"

#include <libvirt/virterror.h>

#include "services/provisioner/driver/domain_xml.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

constexpr std::size_t detail_bytes_max = 160;

std::uint64_t epoch_of(virDomain* domain) {
  return epoch_in_metadata(take_libvirt_text(
      virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, metadata_uri, 0)));
}

std::string pause_reason(int reason) {
  switch (reason) {
    case VIR_DOMAIN_PAUSED_IOERROR:
      return std::string(disk_error);
    case VIR_DOMAIN_PAUSED_CRASHED:
      return "the guest panicked";
    case VIR_DOMAIN_PAUSED_SAVE:
      return "its memory is being saved";
    case VIR_DOMAIN_PAUSED_USER:
      return "suspended";
    default:
      return "paused";
  }
}

DomainSeen seen_in_state(int state, int reason) {
  switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
      return {.state = DomainState::running};
    case VIR_DOMAIN_PAUSED:
      if (reason == VIR_DOMAIN_PAUSED_STARTING_UP) return {.state = DomainState::starting};
      return {.state = DomainState::paused, .reason = pause_reason(reason)};
    case VIR_DOMAIN_PMSUSPENDED:
      return {.state = DomainState::paused, .reason = "the guest is suspended to RAM"};
    case VIR_DOMAIN_SHUTDOWN:
      return {.state = DomainState::stopping};
    case VIR_DOMAIN_CRASHED:
      return {.state = DomainState::crashed, .reason = "the guest panicked"};
    default:
      return {.state = DomainState::shutoff};
  }
}

DomainSeen stopped(int detail) {
  switch (detail) {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
      return {.state = DomainState::shutoff, .reason = "the guest powered off"};
    case VIR_DOMAIN_EVENT_STOPPED_SAVED:
      return {.state = DomainState::shutoff, .reason = "its memory was saved"};
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
      return {.state = DomainState::shutoff, .reason = "destroyed"};
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
      return {.state = DomainState::crashed, .reason = "the guest crashed"};
    case VIR_DOMAIN_EVENT_STOPPED_FAILED:
      return {.state = DomainState::crashed, .reason = "its hypervisor process ended unexpectedly"};
    default:
      return {.state = DomainState::shutoff, .reason = "stopped"};
  }
}

ErrorCode code_of(const virError& error) {
  if (error.domain == VIR_FROM_RPC) return ErrorCode::unavailable;
  switch (error.code) {
    case VIR_ERR_NO_DOMAIN:
      return ErrorCode::not_found;
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_NO_SUPPORT:
      return ErrorCode::wrong_state;
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_AGENT_UNRESPONSIVE:
    case VIR_ERR_AGENT_UNSYNCED:
      return ErrorCode::unavailable;
    default:
      return ErrorCode::internal;
  }
}

}  // namespace

core::Error libvirt_error() {
  const virError* error = virGetLastError();
  if (!error) return {.code = ErrorCode::internal, .detail = "libvirt failed without an error"};
  std::string detail = error->message ? error->message : "libvirt failed";
  if (const auto line = detail.find('\n'); line != std::string::npos) detail.resize(line);
  if (detail.size() > detail_bytes_max) detail.resize(detail_bytes_max);
  return {.code = code_of(*error), .detail = std::move(detail)};
}

std::string take_libvirt_text(char* text) {
  if (!text) return {};
  std::string copy = text;
  free(text);
  return copy;
}

std::string uuid_of(virDomain* domain) {
  char uuid[VIR_UUID_STRING_BUFLEN] = {};
  virDomainGetUUIDString(domain, uuid);
  return uuid;
}

core::Result<DomainSeen> observe_domain(virDomain* domain) {
  int state = 0;
  int reason = 0;
  if (virDomainGetState(domain, &state, &reason, 0) < 0) return std::unexpected(libvirt_error());
  DomainSeen seen = seen_in_state(state, reason);
  seen.name = virDomainGetName(domain);
  seen.uuid = uuid_of(domain);
  seen.epoch = epoch_of(domain);
  return seen;
}

core::Result<std::vector<DomainSeen>> observe_domains(virConnect* connection) {
  virDomainPtr* domains = nullptr;
  const int count = virConnectListAllDomains(connection, &domains, 0);
  if (count < 0) return std::unexpected(libvirt_error());
  std::vector<LibvirtDomain> owned(domains, domains + count);
  free(domains);
  std::vector<DomainSeen> all;
  for (const auto& domain : owned) {
    auto seen = observe_domain(domain.get());
    if (seen && seen->state != DomainState::shutoff)
      all.push_back(std::move(*seen));
    else if (!seen && seen.error().code != ErrorCode::not_found)
      return std::unexpected(seen.error());
  }
  return all;
}

core::Result<LibvirtDomain> find_domain(virConnect* connection, const std::string& name) {
  LibvirtDomain domain{virDomainLookupByName(connection, name.c_str())};
  if (domain) return domain;
  auto error = libvirt_error();
  if (error.code == ErrorCode::not_found) error.detail = "no domain " + msg::shown(name);
  return std::unexpected(error);
}

DomainSeen seen_in_event(int event, int detail) {
  switch (event) {
    case VIR_DOMAIN_EVENT_STARTED:
    case VIR_DOMAIN_EVENT_RESUMED:
      return {.state = DomainState::running};
    case VIR_DOMAIN_EVENT_SUSPENDED:
      return {.state = DomainState::paused,
              .reason = detail == VIR_DOMAIN_EVENT_SUSPENDED_IOERROR ? "disk error" : "suspended"};
    case VIR_DOMAIN_EVENT_PMSUSPENDED:
      return {.state = DomainState::paused, .reason = "the guest is suspended to RAM"};
    case VIR_DOMAIN_EVENT_SHUTDOWN:
      return {.state = DomainState::stopping};
    case VIR_DOMAIN_EVENT_STOPPED:
      return stopped(detail);
    case VIR_DOMAIN_EVENT_CRASHED:
      return {.state = DomainState::crashed, .reason = "the guest panicked"};
    default:
      return {};
  }
}

}  // namespace nucleus::provisioner
