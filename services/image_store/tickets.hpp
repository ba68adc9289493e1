// Tickets: secrets that open one volume's base, or one upload.
#pragma once

#include "core/digest/digest.hpp"
#include "core/loop/context.hpp"
#include "services/image_store/records.hpp"

namespace nucleus::image_store {

/// 256 random bits.
inline std::string new_ticket(core::Context& context) {
  return context.new_id() + context.new_id();
}

/// In the same time for every wrong ticket.
inline bool is_opened_by(const StoredUpload& upload, const std::string& ticket) {
  return upload.is_resumable() &&
         core::is_equal_in_constant_time(core::sha256(core::sha256_hex(ticket)),
                                         core::sha256(upload.ticket_sha256));
}

}  // namespace nucleus::image_store
