// Tags of images: names that may be moved from one image to another. Pure functions over the view.
#pragma once

#include "core/result.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

constexpr std::size_t tags_max = 32;  // of one image

/// PROJECT/NAME:TAG, not PROJECT/NAME.
bool is_tag(const std::string& name);

/// The image with its tags, as it is reported.
msg::Image shown_image(const View& view, const StoredImage& stored);

/// Lets the tag name the image; changes nothing if it does already.
core::Result<Plan> plan_tag(const View& view, const msg::TagImage& request);
core::Result<Plan> plan_untag(const View& view, const msg::UntagImage& request);

/// Records which image the tag of the volume's node names, before the disk is made of it;
/// `not_found` if it names none.
core::Result<Plan> plan_tag_resolved(const View& view, const StoredVolume& stored);

}  // namespace nucleus::image_store
