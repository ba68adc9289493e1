// The certificates of clusters: made from a campaign, signed, kept up to a limit for each cluster,
// listed newest first. Runs on the service's loop.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/state/store.hpp"
#include "services/overhead/campaign.hpp"
#include "services/overhead/config.hpp"
#include "services/overhead/driver/signing_key.hpp"
#include "services/overhead/keys.hpp"

namespace nucleus::overhead {

class Certificates {
 public:
  Certificates(core::Store& store, std::size_t kept_max, std::optional<SigningKey> key)
      : store_{store}, kept_max_{kept_max}, key_{std::move(key)} {}

  /// Completes and signs a certificate. Texts become printable ASCII.
  void sign(msg::Certificate& certificate) const;
  /// Writes it, and removes the oldest ones of its cluster.
  void keep(core::Transaction& tx, const msg::Certificate& certificate) const;
  void remove_all(core::Transaction& tx, const msg::ClusterId& cluster_id) const;

  core::Result<msg::Certificate> get(const msg::GetCertificate& request) const;
  core::Result<msg::Certificates> list(const msg::ListCertificates& request) const;
  msg::SigningKey public_key() const;

 private:
  /// Ids in the order of time.
  std::vector<std::string> ids_of(const msg::ClusterId& cluster_id) const;

  core::Store& store_;
  std::size_t kept_max_;
  std::optional<SigningKey> key_;
};

}  // namespace nucleus::overhead
