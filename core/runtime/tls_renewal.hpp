// Reads a server's certificate again at SIGHUP; open connections are not affected.
#pragma once

#include <prometheus/gauge.h>

#include <memory>

#include "core/runtime/runtime.hpp"
#include "core/tls/certificate.hpp"

namespace nucleus::core {

/// Does nothing if `certificate` is null. If the new pair is refused, that is logged and the
/// previous one stays. `end` shows the notAfter of the current one.
void renew_at_hangup(Runtime& runtime, std::shared_ptr<Certificate> certificate,
                     prometheus::Gauge& end);

}  // namespace nucleus::core
