#include "services/image_store/tags.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

core::Result<void> check_tag(const msg::ImageId& image_id, const std::string& tag) {
  const auto owner = owner_of(image_id).value + "/";
  const auto colon = tag.find(':');
  const bool is_valid = tag.starts_with(owner) && colon != std::string::npos &&
                        msg::is_name(std::string_view(tag).substr(
                            owner.size(), colon - std::min(colon, owner.size()))) &&
                        msg::is_name(std::string_view(tag).substr(colon + 1));
  if (!is_valid)
    return std::unexpected(msg::invalid("tag", "tag must be NAME:TAG, both valid names"));
  return {};
}

core::Error unknown_image(const msg::ImageId& image_id) {
  return {.code = ErrorCode::not_found,
          .detail = "no such image: " + msg::shown(image_id.value),
          .field = "image_id"};
}

}  // namespace

bool is_tag(const std::string& name) {
  return name.find(':') != std::string::npos;
}

msg::Image shown_image(const View& view, const StoredImage& stored) {
  auto image = stored.image;
  image.tags = view.tags_of(image.image_id);
  return image;
}

core::Result<Plan> plan_tag(const View& view, const msg::TagImage& request) {
  if (!view.image(request.image_id)) return std::unexpected(unknown_image(request.image_id));
  if (auto valid = check_tag(request.image_id, request.tag); !valid)
    return std::unexpected(valid.error());
  const auto* named = view.tagged_image(request.tag);
  if (named && *named == request.image_id) return Plan{};
  if (view.tags_of(request.image_id).size() >= tags_max)
    return core::refuse(ErrorCode::wrong_state,
                        "image " + request.image_id.value + " has " + std::to_string(tags_max) +
                            " tags, the most that there may be",
                        "tag");
  return Plan{.tags = {{.tag = request.tag, .image_id = request.image_id}}};
}

core::Result<Plan> plan_untag(const View& view, const msg::UntagImage& request) {
  if (auto valid = check_tag(request.image_id, request.tag); !valid)
    return std::unexpected(valid.error());
  const auto* named = view.tagged_image(request.tag);
  if (named && *named == request.image_id)
    return Plan{.tags_removed = {{.tag = request.tag, .image_id = request.image_id}}};
  return core::refuse(
      ErrorCode::not_found,
      "image " + msg::shown(request.image_id.value) + " has no tag " + msg::shown(request.tag),
      "tag");
}

core::Result<Plan> plan_tag_resolved(const View& view, const StoredVolume& stored) {
  const auto& tag = stored.node.image_id.value;
  const auto* named = view.tagged_image(tag);
  if (!named || !view.visible_image(*named, stored.node.project_id))
    return core::refuse(ErrorCode::not_found,
                        "waits for image " + msg::shown(tag) + ", which does not exist");
  Plan plan{.volumes = {{.stored = stored}}};
  plan.volumes.front().stored.image_id = *named;
  return plan;
}

}  // namespace nucleus::image_store
