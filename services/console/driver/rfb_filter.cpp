#include "services/console/driver/rfb_filter.hpp"

#include <algorithm>
#include <cstdint>

namespace nucleus::console {

using core::ErrorCode;

namespace {

// Messages of viewers, by their first byte.
constexpr unsigned set_pixel_format = 0;
constexpr unsigned set_encodings = 2;
constexpr unsigned update_request = 3;
constexpr unsigned key_event = 4;
constexpr unsigned pointer_event = 5;
constexpr unsigned cut_text = 6;
constexpr unsigned continuous_updates = 150;
constexpr unsigned fence = 248;
constexpr unsigned power_request = 250;
constexpr unsigned set_desktop_size = 251;
constexpr unsigned qemu = 255;

constexpr char security_none = 1;
constexpr char security_password = 2;
constexpr std::size_t version_size = 12;
constexpr std::size_t password_size = 16;
constexpr std::size_t encodings_max = 1000;

std::unexpected<core::Error> unknown(const std::string& what) {
  return core::refuse(ErrorCode::invalid_argument, "a viewer that only watches sent " + what);
}

}  // namespace

core::Result<std::string> RfbFilter::pass(std::string_view bytes) {
  std::string passed;
  while (true) {
    const auto dropped = std::min(skipped_, bytes.size());
    bytes.remove_prefix(dropped);
    skipped_ -= dropped;
    if (skipped_ > 0) return passed;
    buffer_ += bytes;
    bytes = {};
    const auto size = size_of_next();
    if (!size) return std::unexpected(size.error());
    if (*size == 0) return passed;
    if (stage_ == Stage::messages && !may_pass()) {
      const auto here = std::min(*size, buffer_.size());
      buffer_.erase(0, here);
      skipped_ = *size - here;
      continue;
    }
    if (buffer_.size() < *size) return passed;
    if (auto taken = take(*size, passed); !taken) return std::unexpected(taken.error());
  }
}

core::Result<std::size_t> RfbFilter::size_of_next() const {
  if (stage_ == Stage::version) return version_size;
  if (stage_ == Stage::password) return password_size;
  if (stage_ == Stage::messages) return size_of_message();
  return 1;
}

std::size_t RfbFilter::number_at(std::size_t at, std::size_t bytes) const {
  std::size_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    number = number << 8 | static_cast<unsigned char>(buffer_[at + i]);
  return number;
}

core::Result<std::size_t> RfbFilter::size_of_message() const {
  const auto known = buffer_.size();
  if (known == 0) return 0;
  switch (const auto type = number_at(0, 1); type) {
    case set_pixel_format:
      return 20;
    case set_encodings: {
      if (known < 4) return 0;
      const auto count = number_at(2, 2);
      if (count > encodings_max) return unknown("too many encodings");
      return 4 + 4 * count;
    }
    case update_request:
    case continuous_updates:
      return 10;
    case key_event:
      return 8;
    case pointer_event:
      return 6;
    case cut_text: {
      if (known < 8) return 0;
      // A negative length is that of the extended clipboard.
      const auto length = static_cast<std::int64_t>(static_cast<std::int32_t>(number_at(4, 4)));
      return 8 + static_cast<std::size_t>(length < 0 ? -length : length);
    }
    case fence:
      return known < 9 ? 0 : 9 + number_at(8, 1);
    case power_request:
      return 4;
    case set_desktop_size:
      return known < 8 ? 0 : 8 + 16 * number_at(6, 1);
    case qemu:
      if (known < 4) return 0;
      if (number_at(1, 1) == 0) return 12;  // a key
      if (number_at(1, 1) == 1)
        return number_at(2, 2) == 2 ? 10 : 4;  // sound: a format, or on, off
      return unknown("an unknown message of QEMU: " + std::to_string(number_at(1, 1)));
    default:
      return unknown("an unknown message: " + std::to_string(type));
  }
}

bool RfbFilter::may_pass() const {
  const auto type = number_at(0, 1);
  return type == set_pixel_format || type == set_encodings || type == update_request ||
         type == continuous_updates || type == fence;
}

core::Result<void> RfbFilter::take(std::size_t size, std::string& passed) {
  auto part = buffer_.substr(0, size);
  buffer_.erase(0, size);
  switch (stage_) {
    case Stage::version:
      // In 3.3 the viewer is not asked for the kind of security, so what follows is not known.
      if (part != "RFB 003.007\n" && part != "RFB 003.008\n")
        return unknown("another version than RFB 3.7 or 3.8");
      stage_ = Stage::security;
      break;
    case Stage::security:
      if (part[0] != security_none && part[0] != security_password)
        return unknown("an unknown kind of security");
      stage_ = part[0] == security_password ? Stage::password : Stage::init;
      break;
    case Stage::password:
      stage_ = Stage::init;
      break;
    case Stage::init:
      part[0] = 1;  // else the server would disconnect the other viewers
      stage_ = Stage::messages;
      break;
    case Stage::messages:
      break;
  }
  passed += part;
  return {};
}

}  // namespace nucleus::console
