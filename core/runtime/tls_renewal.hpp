// A server's certificate is read again at SIGHUP; connections go on.
#pragma once

#include <prometheus/gauge.h>

#include <memory>

#include "core/runtime/runtime.hpp"
#include "core/tls/certificate.hpp"

namespace nucleus::core {

/// Does nothing where there is no certificate. A pair that is refused is logged with the reason,
/// and the old one stays. `end` shows the Unix second at which the one in force ends.
void renew_at_hangup(Runtime& runtime, std::shared_ptr<Certificate> certificate,
                     prometheus::Gauge& end);

}  // namespace nucleus::core
