// Whose right an upload needs: of who has its ticket, or asked for its fetch. The registry decides
// with each part, and before the image is published.
#pragma once

#include <functional>

#include "core/bus/bus.hpp"
#include "messages/image_store.hpp"
#include "services/image_store/records.hpp"

namespace nucleus::image_store {

/// A ticket is of who got it last, and ends with that credential. A fetch needs its person alone.
void set_holder(StoredUpload& upload, const msg::BeginUpload& request);

/// `forbidden` if the right to the upload has ended.
void check_upload_right(core::Bus& bus, const StoredUpload& upload,
                        std::function<void(core::Result<void>)> done);

}  // namespace nucleus::image_store
