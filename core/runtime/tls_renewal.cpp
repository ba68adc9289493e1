#include "core/runtime/tls_renewal.hpp"

#include "core/log/log.hpp"

namespace nucleus::core {

void renew_at_hangup(Runtime& runtime, std::shared_ptr<Certificate> certificate,
                     prometheus::Gauge& end) {
  if (!certificate) return;
  const auto show = [certificate, &end] {
    const auto facts = certificate->facts();
    end.Set(static_cast<double>(facts.end_unix_s));
    log::info("certificate_in_force",
              {{"sha256", facts.fingerprint}, {"end_unix_s", facts.end_unix_s}});
  };
  show();
  runtime.on_hangup.push_back([certificate, show] {
    if (const auto renewed = certificate->renew(); !renewed)
      log::error("certificate_refused", {{"reason", renewed.error().detail}});
    else
      show();
  });
}

}  // namespace nucleus::core
