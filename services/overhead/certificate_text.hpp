// The canonical text of a certificate: what its signature signs. Pure.
//
// The first line is `nucleus overhead certificate 1`. Each value of the certificate is a line
// `PATH=VALUE`, such as `figures/3/native/0=12.5`; the lines are sorted by their bytes. Numbers
// with a fraction are written with 17 significant digits, which name one binary number. `signature`
// is left out. Nothing depends on the order or on the spelling of numbers of any other format.
#pragma once

#include <string>

#include "messages/overhead.hpp"

namespace nucleus::overhead {

std::string canonical_text(const msg::Certificate& certificate);

}  // namespace nucleus::overhead
