// A certificate of overhead in the formats of other programs. Pure.
#pragma once

#include <optional>
#include <string>

#include "messages/overhead.hpp"

namespace nucleus::gateway {

struct CertificateText {
  std::string text = {};
  const char* type = "";  // of the content
};

/// csv, openmetrics, reframe or bencher; nothing if the format is none of them. A figure that was
/// refused is only in csv, with its reason.
std::optional<CertificateText> certificate_text(const msg::Certificate& certificate,
                                                const std::string& format);

}  // namespace nucleus::gateway
