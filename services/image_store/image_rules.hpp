// Which images are accepted, and when an image may be removed: pure functions over the view.
#pragma once

#include "core/result.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

/// `not_found` unless the image's project exists.
core::Result<void> check_owner(const View& view, const msg::ImageId& image_id);

/// Refuses an id that is not PROJECT/NAME of a project that exists, an unknown format or firmware,
/// and the id of an existing image.
core::Result<void> check_new_image(const View& view, const msg::ImageId& image_id,
                                   msg::ImageFormat format, msg::Firmware firmware);

core::Result<void> check_import(const View& view, const msg::ImportImage& request);

/// `not_found`, or `wrong_state` while a node uses it or a tag names it.
core::Result<void> check_removable(const View& view, const msg::RemoveImage& request);

/// The same without regard to tags.
core::Result<void> check_unused(const View& view, const msg::RemoveImage& request);

/// True for the viewer's own and the public images that the request asks for.
bool is_listed(const msg::ListImages& request, const msg::Image& image);

}  // namespace nucleus::image_store
