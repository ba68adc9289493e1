#include "operator/tls.hpp"

#include <fmt/chrono.h>
#include <unistd.h>

#include "core/tls/certificate.hpp"

namespace nucleus::operator_ {

core::Result<void> check_tls(TlsOptions& tls) {
  for (auto* path : {&tls.certificate, &tls.key, &tls.ca})
    if (!path->empty()) *path = std::filesystem::absolute(*path).lexically_normal().string();
  const auto certificate = core::Certificate::open_if_set(
      {.certificate = tls.certificate, .key = tls.key}, "tls-certificate");
  if (!certificate) return std::unexpected(certificate.error());
  if (!tls.ca.empty() && access(tls.ca.c_str(), R_OK) != 0)
    return core::refuse(core::ErrorCode::invalid_argument, tls.ca + ": cannot be read", "tls-ca");
  if (!*certificate) tls = {};
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

}  // namespace nucleus::operator_
