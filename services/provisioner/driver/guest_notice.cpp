#include "services/provisioner/driver/guest_notice.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::chrono::milliseconds command_deadline{10'000};

}  // namespace

core::Result<msg::Done> notify_guest(Hypervisor& hypervisor, const std::string& domain,
                                     const std::string& text) {
  const std::string line = text + "\n";
  const auto written =
      hypervisor.run_in_guest(domain, {.argv = {"/usr/bin/tee", "/run/nucleus-notice"},
                                       .input = line,
                                       .deadline = command_deadline});
  if (!written) return std::unexpected(written.error());
  if (!core::is_success(written->end))
    return core::refuse(core::ErrorCode::internal,
                        "the guest could not write the notice (" + core::shown(written->end) + ")");
  (void)hypervisor.run_in_guest(
      domain, {.argv = {"/usr/bin/wall"}, .input = line, .deadline = command_deadline});
  return msg::Done{};
}

}  // namespace nucleus::provisioner
