#include "operator/tls.hpp"

#include <arpa/inet.h>
#include <fmt/chrono.h>
#include <ifaddrs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>

#include "core/tls/trust.hpp"

namespace nucleus::operator_ {

namespace {

constexpr std::int64_t renewal_s = 90LL * 24 * 60 * 60;  // before the end
constexpr std::string_view loopback = "127.0.0.1";
constexpr std::string_view any_address = "0.0.0.0";

std::string machine_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// IPv4 addresses of all interfaces of this machine.
std::vector<std::string> own_addresses() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> all(first, freeifaddrs);
  std::vector<std::string> found;
  for (const auto* entry = first; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr || entry->ifa_addr->sa_family != AF_INET) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto& address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    if (inet_ntop(AF_INET, &address, text.data(), text.size())) found.emplace_back(text.data());
  }
  return found;
}

/// The names and addresses under which the head is reached.
core::CertificateScope head_scope(const Options& options) {
  core::CertificateScope scope{.names = {machine_name(), "localhost"},
                               .addresses = {std::string(loopback)}};
  for (const auto& listened :
       {options.listen_address, console_address(options), options.bus_address}) {
    const auto added =
        listened == any_address ? own_addresses() : std::vector<std::string>{listened};
    for (const auto& address : added)
      if (std::ranges::find(scope.addresses, address) == scope.addresses.end())
        scope.addresses.push_back(address);
  }
  return scope;
}

bool is_sound(const core::CertificateFiles& files, const core::CertificateScope& scope) {
  const auto certificate = core::Certificate::open(files);
  if (!certificate || (*certificate)->facts().end_unix_s < std::time(nullptr) + renewal_s)
    return false;
  const auto is_covered = [&](const std::string& host) {
    return (*certificate)->facts(host).is_for_host;
  };
  return std::ranges::all_of(scope.names, is_covered) &&
         std::ranges::all_of(scope.addresses, is_covered);
}

/// With another CA file every client would refuse the certificate.
core::Result<void> check_trust(const TlsOptions& tls, const core::Certificate& certificate) {
  const auto trust = core::Trust::open(tls.ca);
  if (!trust) return std::unexpected(trust.error());
  if ((*trust)->verifies(certificate)) return {};
  return core::refuse(core::ErrorCode::invalid_argument,
                      tls.ca + ": did not issue " + tls.certificate, "tls-ca");
}

}  // namespace

core::CertificateFiles authority_files(const StateDirectory& state) {
  return {.certificate = state.file("tls/ca.pem"), .key = state.file("tls/ca.key")};
}

core::CertificateFiles head_files(const StateDirectory& state) {
  return {.certificate = state.file("tls/head.pem"), .key = state.file("tls/head.key")};
}

core::Result<void> make_certificate(const core::CertificateFiles& authority,
                                    const std::string& authority_name,
                                    const core::CertificateScope& scope,
                                    const core::CertificateFiles& files) {
  if (auto made = core::make_authority(authority, authority_name); !made) return made;
  return is_sound(files, scope) ? core::Result<void>{}
                                : core::issue_certificate(authority, scope, files);
}

core::Result<void> make_own_tls(const StateDirectory& state, const Deployment& deployment) {
  return make_certificate(authority_files(state), "Nucleus " + deployment.short_id,
                          head_scope(deployment.options), head_files(state));
}

void use_own_tls(const StateDirectory& state, Options& options) {
  const auto head = head_files(state);
  const TlsOptions own{
      .certificate = head.certificate, .key = head.key, .ca = authority_files(state).certificate};
  const bool is_reached =
      options.listen_address != loopback || console_address(options) != loopback;
  if (is_reached && !options.tls.is_off && options.tls.certificate.empty()) options.tls = own;
  if (!is_reached && options.tls == own) options.tls = {};
}

core::Result<void> check_tls(TlsOptions& tls) {
  for (auto* path : {&tls.certificate, &tls.key, &tls.ca})
    if (!path->empty()) *path = std::filesystem::absolute(*path).lexically_normal().string();
  const auto certificate = core::Certificate::open_if_set(
      {.certificate = tls.certificate, .key = tls.key}, "tls-certificate");
  if (!certificate) return std::unexpected(certificate.error());
  if (!tls.ca.empty() && *certificate)
    if (auto trusted = check_trust(tls, **certificate); !trusted) return trusted;
  if (!*certificate) tls = {.is_off = tls.is_off};
  if (*certificate && tls.ca.empty() && (*certificate)->facts().is_self_signed)
    tls.ca = tls.certificate;
  return {};
}

std::string certificate_problem(const TlsOptions& tls, std::int64_t now_unix_s) {
  if (tls.certificate.empty()) return {};
  const auto certificate =
      core::Certificate::open({.certificate = tls.certificate, .key = tls.key});
  if (!certificate) return certificate.error().detail;
  const std::int64_t end_unix_s = (*certificate)->facts().end_unix_s;
  if (now_unix_s < end_unix_s) return {};
  return fmt::format("{}: expired on {:%Y-%m-%d}", tls.certificate, fmt::gmtime(end_unix_s));
}

std::string host_of(const TlsOptions& tls, const std::string& address) {
  if (tls.certificate.empty()) return address;
  const auto certificate =
      core::Certificate::open({.certificate = tls.certificate, .key = tls.key});
  if (!certificate) return address;  // replaced since `up`; the processes log what is wrong
  const auto facts = (*certificate)->facts(address);
  return facts.is_for_host || facts.name.empty() ? address : facts.name;
}

std::string public_host(const TlsOptions& tls, const std::string& address) {
  return host_of(tls, address == any_address ? machine_name() : address);
}

}  // namespace nucleus::operator_
