// What a viewer who only watches may send to a VNC server: the handshake and requests for the
// picture, no input. The protocol is RFB 3.7 and 3.8 (RFC 6143), with the extensions that QEMU and
// noVNC use (the community's "rfbproto" specification).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace nucleus::console {

/// Of one connection.
class RfbFilter {
 public:
  /// The part of the viewer's next bytes that may go on to the server: whole messages. Others are
  /// dropped, and the rest of an unfinished one is kept, up to 4 KiB. Always shares the screen with
  /// the other viewers. Fails for what is not known: nothing may be sent after that.
  core::Result<std::string> pass(std::string_view bytes);

 private:
  enum class Stage { version, security, password, init, messages };

  /// The bytes of the part that begins the buffer; 0 = not known yet.
  core::Result<std::size_t> size_of_next() const;
  core::Result<std::size_t> size_of_message() const;
  bool may_pass() const;
  /// Appends the first `size` bytes of the buffer to `passed`, and goes on to the next stage.
  core::Result<void> take(std::size_t size, std::string& passed);
  std::size_t number_at(std::size_t at, std::size_t bytes) const;

  Stage stage_ = Stage::version;
  std::string buffer_ = {};
  std::size_t skipped_ = 0;  // bytes to come of a message that is dropped
};

}  // namespace nucleus::console
