#include "services/overhead/certificates.hpp"

#include <algorithm>

#include "core/list/page_builder.hpp"
#include "services/overhead/certificate_text.hpp"

namespace nucleus::overhead {

using core::ErrorCode;

namespace {

constexpr std::size_t text_bytes_max = 256;

/// One line of printable ASCII: parts of it may come from a guest.
std::string line_of(std::string text) {
  text.resize(std::min(text.size(), text_bytes_max));
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

msg::CertificateSummary summary_of(const msg::Certificate& certificate) {
  msg::CertificateSummary summary{.certificate_id = certificate.certificate_id,
                                  .ended_unix_s = certificate.ended_unix_s,
                                  .accelerator = certificate.accelerator,
                                  .failure = certificate.failure};
  for (const auto& figure : certificate.figures)
    summary.figures.push_back(
        {.measurement = figure.measurement, .ratio = figure.ratio, .verdict = figure.verdict});
  return summary;
}

core::Result<msg::Certificate> no_certificate(const msg::GetCertificate& request) {
  return core::refuse(ErrorCode::not_found,
                      request.certificate_id.empty()
                          ? "no certificate of cluster " + msg::shown(request.cluster_id.value)
                          : "no such certificate: " + msg::shown(request.certificate_id),
                      "certificate_id");
}

}  // namespace

void Certificates::sign(msg::Certificate& certificate) const {
  certificate.failure = line_of(std::move(certificate.failure));
  for (auto& figure : certificate.figures) figure.reason = line_of(std::move(figure.reason));
  certificate.signature.clear();
  if (!key_) return;
  certificate.public_key = key_->public_key();
  certificate.signature = key_->sign(canonical_text(certificate));
}

void Certificates::keep(core::Transaction& tx, const msg::Certificate& certificate) const {
  auto ids = ids_of(certificate.cluster_id);
  for (std::size_t i = 0; i + kept_max_ <= ids.size(); ++i)
    tx.remove(keys::certificate(certificate.cluster_id, ids[i]));
  tx.write(keys::certificate(certificate.cluster_id, certificate.certificate_id),
           StoredCertificate{certificate});
}

void Certificates::remove_all(core::Transaction& tx, const msg::ClusterId& cluster_id) const {
  for (const auto& id : ids_of(cluster_id)) tx.remove(keys::certificate(cluster_id, id));
}

std::vector<std::string> Certificates::ids_of(const msg::ClusterId& cluster_id) const {
  std::vector<std::string> ids;
  store_.for_each<StoredCertificate>(
      keys::certificates(cluster_id),
      [&](const StoredCertificate& stored) { ids.push_back(stored.certificate.certificate_id); });
  return ids;
}

core::Result<msg::Certificate> Certificates::get(const msg::GetCertificate& request) const {
  if (auto broken = msg::check_name("cluster_id", request.cluster_id.value))
    return std::unexpected(*broken);
  auto id = request.certificate_id;
  if (id.empty()) {
    const auto ids = ids_of(request.cluster_id);
    if (ids.empty()) return no_certificate(request);
    id = ids.back();
  }
  const auto* stored = store_.read(keys::certificate(request.cluster_id, id));
  if (!stored) return no_certificate(request);
  return stored->certificate;
}

core::Result<msg::Certificates> Certificates::list(const msg::ListCertificates& request) const {
  if (auto broken = msg::check_name("cluster_id", request.cluster_id.value))
    return std::unexpected(*broken);
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  auto ids = ids_of(request.cluster_id);
  std::ranges::reverse(ids);
  core::PageBuilder<msg::CertificateSummary> page(request.page);
  for (const auto& id : ids) {
    if (!request.page.after.empty() && id >= request.page.after) continue;
    const auto* stored = store_.read(keys::certificate(request.cluster_id, id));
    if (!page.add(summary_of(stored->certificate), id)) break;
  }
  const auto next = page.next();
  return msg::Certificates{.certificates = page.take(), .next = next};
}

msg::SigningKey Certificates::public_key() const {
  if (!key_) return {};
  return {.algorithm = "ed25519", .public_key = key_->public_key()};
}

}  // namespace nucleus::overhead
