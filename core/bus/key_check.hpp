// Asks a bus over tcp whether it accepts a key, without a word on behalf of the key's process.
#pragma once

#include "core/bus/zmq_link.hpp"

namespace nucleus::core {

enum class KeyAnswer { accepted, refused, none };

/// The outcome of a handshake with the bus at `events_url`; `none` if there is none in time.
KeyAnswer check_key(const CurveKeys& keys, const std::string& events_url, Milliseconds timeout);

}  // namespace nucleus::core
