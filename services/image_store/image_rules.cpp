#include "services/image_store/image_rules.hpp"

#include <algorithm>

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

std::string_view name_of(const msg::ImageId& image_id) {
  return std::string_view(image_id.value).substr(image_id.value.find('/') + 1);
}

bool is_image_id(const msg::ImageId& image_id) {
  return image_id.value.find('/') != std::string::npos && msg::is_name(owner_of(image_id).value) &&
         msg::is_name(name_of(image_id));
}

}  // namespace

core::Result<void> check_owner(const View& view, const msg::ImageId& image_id) {
  const auto owner = owner_of(image_id);
  if (view.is_owner(owner)) return {};
  return core::refuse(ErrorCode::not_found, "no such project: " + msg::shown(owner.value),
                      "image_id");
}

core::Result<void> check_new_image(const View& view, const msg::ImageId& image_id,
                                   msg::ImageFormat format, msg::Firmware firmware) {
  if (!is_image_id(image_id))
    return std::unexpected(
        msg::invalid("image_id", "image_id must be PROJECT/NAME, both valid names"));
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (std::ranges::all_of(name_of(image_id), is_digit))
    return std::unexpected(msg::invalid(
        "image_id", "an image's name must not be a number, which is an index in the list"));
  if (format == msg::ImageFormat::unknown)
    return std::unexpected(msg::invalid("format", "format must be raw, qcow2 or iso"));
  if (firmware == msg::Firmware::unknown)
    return std::unexpected(msg::invalid("firmware", "firmware must be bios or uefi"));
  if (format == msg::ImageFormat::iso && firmware != msg::Firmware::bios)
    return std::unexpected(
        msg::invalid("firmware", "an ISO has no firmware: that of the node's disk starts it"));
  if (auto owned = check_owner(view, image_id); !owned) return owned;
  if (view.image(image_id))
    return core::refuse(ErrorCode::wrong_state, "image " + image_id.value + " exists already",
                        "image_id");
  return {};
}

core::Result<void> check_import(const View& view, const msg::ImportImage& request) {
  if (auto allowed = check_new_image(view, request.image_id, request.format, request.firmware);
      !allowed)
    return allowed;
  if (request.disk_path.empty() && request.kernel_path.empty())
    return std::unexpected(msg::invalid("disk_path", "an image needs a disk or a kernel"));
  if (request.kernel_path.empty() && !request.initramfs_path.empty())
    return std::unexpected(msg::invalid("kernel_path", "an initramfs needs a kernel"));
  return {};
}

core::Result<void> check_unused(const View& view, const msg::RemoveImage& request) {
  const auto* image = view.image(request.image_id);
  if (!image)
    return core::refuse(ErrorCode::not_found,
                        "no such image: " + msg::shown(request.image_id.value), "image_id");
  const auto use = view.use_of(*image);
  const auto* user = use.reader;
  if (!user && !request.is_kept_for_clones) user = use.clone;
  if (!user) return {};
  return core::refuse(ErrorCode::wrong_state,
                      "nodes use image " + request.image_id.value + ", such as " + user->node.name,
                      "image_id");
}

core::Result<void> check_removable(const View& view, const msg::RemoveImage& request) {
  if (auto unused = check_unused(view, request); !unused) return unused;
  const auto tags = view.tags_of(request.image_id);
  if (tags.empty()) return {};
  return core::refuse(ErrorCode::wrong_state,
                      "tag " + tags.front() + " names image " + request.image_id.value +
                          ": move or remove the tag first",
                      "image_id");
}

bool is_listed(const msg::ListImages& request, const msg::Image& image) {
  const auto owner = owner_of(image.image_id);
  if (owner.value != "public" && !msg::sees(request.viewer, owner)) return false;
  if (!request.project_id.empty() && request.project_id != owner) return false;
  const bool is_named = request.name.empty() || request.name == name_of(image.image_id) ||
                        std::ranges::count(image.tags, owner.value + "/" + request.name) > 0;
  if (!is_named) return false;
  return request.format == msg::ImageFormat::unknown || request.format == image.format;
}

}  // namespace nucleus::image_store
