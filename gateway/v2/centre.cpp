// v2: images and allocations.
#include <algorithm>
#include <filesystem>

#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "messages/allocations.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void list_images(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  exchange->ask(msg::ListImages{.viewer = msg::viewer_of(exchange->who), .page = *page},
                [exchange](const msg::Images& images) {
                  reply_list(exchange, "images", images.images, images.next);
                });
}

/// The image {project}/{image}, or 404 if the caller may not see it.
void with_image(const ExchangePtr& exchange, std::function<void(msg::Image)> next) {
  const msg::ProjectId project{exchange->path["project"]};
  const msg::ImageId id{project.value + "/" + exchange->path["image"]};
  if (project.value != "public" && !msg::sees(exchange->who, project))
    return exchange->refuse(ErrorCode::not_found, "no such image");
  exchange->ask(msg::ListImages{.viewer = {.projects = {project}},
                                .project_id = project,
                                .name = exchange->path["image"]},
                [exchange, id, next = std::move(next)](const msg::Images& images) {
                  const auto found = std::ranges::find(images.images, id, &msg::Image::image_id);
                  if (found == images.images.end())
                    return exchange->refuse(ErrorCode::not_found, "no such image");
                  next(*found);
                });
}

void get_image(const ExchangePtr& exchange) {
  with_image(exchange,
             [exchange](const msg::Image& image) { reply_one(exchange, 200, json_of(image)); });
}

void remove_image(const ExchangePtr& exchange) {
  const auto keeps = read_flag(*exchange, "kept_for_clones");
  if (!keeps) return exchange->refuse(keeps.error());
  with_image(exchange, [exchange, keeps = *keeps](const msg::Image& image) {
    if (exchange->path["project"] == "public" && !exchange->is_operator())
      return exchange->refuse(ErrorCode::forbidden, "only operators remove public images");
    exchange->ask(msg::RemoveImage{.image_id = image.image_id, .is_kept_for_clones = keeps},
                  [exchange](const msg::Done&) { exchange->reply_nothing(); });
  });
}

/// PROJECT/NAME:TAG of the path.
std::string tag_of_path(const Exchange& exchange) {
  return exchange.path.at("project") + "/" + exchange.path.at("tag");
}

void tag_image(const ExchangePtr& exchange) {
  with_image(exchange, [exchange](const msg::Image& image) {
    if (exchange->path["project"] == "public" && !exchange->is_operator())
      return exchange->refuse(ErrorCode::forbidden, "only operators tag public images");
    exchange->ask(
        msg::TagImage{.image_id = image.image_id, .tag = tag_of_path(*exchange)},
        [exchange](const msg::Image& tagged) { reply_one(exchange, 200, json_of(tagged)); });
  });
}

void untag_image(const ExchangePtr& exchange) {
  with_image(exchange, [exchange](const msg::Image& image) {
    if (exchange->path["project"] == "public" && !exchange->is_operator())
      return exchange->refuse(ErrorCode::forbidden, "only operators tag public images");
    exchange->ask(msg::UntagImage{.image_id = image.image_id, .tag = tag_of_path(*exchange)},
                  [exchange](const msg::Done&) { exchange->reply_nothing(); });
  });
}

void upload_image(const ExchangePtr& exchange, const FileWork& work) {
  const auto image = upload_of(*exchange);
  if (!image) return exchange->refuse(image.error());
  std::error_code fault;
  const auto size = std::filesystem::file_size(exchange->upload->path, fault);
  if (fault) return exchange->refuse(ErrorCode::internal, "the upload was lost");
  store_upload(
      exchange, work, {.size_bytes = size}, *image,
      {.sha256 = exchange->request.query_value("sha256")}, [exchange](const msg::Image& stored) {
        reply_one(exchange, 201, json_of(stored), 0,
                  {{"Location", exchange->base_url + "/v2/images/" + stored.image_id.value}});
      });
}

void list_allocations(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  exchange->ask(msg::ListAllocations{.viewer = msg::viewer_of(exchange->who), .page = *page},
                [exchange](const msg::Allocations& found) {
                  reply_list(exchange, "allocations", found.allocations, found.next);
                });
}

void get_allocation(const ExchangePtr& exchange) {
  exchange->ask(msg::ListAllocations{.viewer = msg::viewer_of(exchange->who),
                                     .allocations = {{exchange->path["allocation"]}}},
                [exchange](const msg::Allocations& found) {
                  if (found.allocations.empty())
                    return exchange->refuse(ErrorCode::not_found, "no such allocation");
                  reply_one(exchange, 200, json_of(found.allocations.front()));
                });
}

void define_allocation(const ExchangePtr& exchange) {
  auto body = body_as<msg::DefineAllocation>(
      *exchange, {"project_id", "limit_core_s", "is_closed", "shares", "start_unix_s", "end_unix_s",
                  "budget", "plan"});
  if (!body) return exchange->refuse(body.error());
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  if (sets(*exchange, "shares") && body->shares == 0)
    return exchange->refuse(msg::invalid("shares", "shares must be 1 to 1000000"));
  if (sets(*exchange, "limit_core_s") && body->limit_core_s == 0 && !body->is_closed)
    body->is_closed = true;
  body->allocation_id = {exchange->path["allocation"]};
  if (*plan) return reply_plan(exchange, {.allocation = std::move(*body)});
  exchange->ask(*body, [exchange](const msg::Allocation& allocation) {
    reply_one(exchange, 200, json_of(allocation));
  });
}

}  // namespace

void add_v2_centre_routes(Router& router, EventStreams& streams, const FileWork& work) {
  router
      .add("GET", "/v2/images", msg::Right::read,
           watchable<msg::ImagePublished, msg::ImageRemoved, msg::ImageTagged, msg::ImageUntagged>(
               streams, list_images))
      .takes_page()
      .takes({"watch"});
  router.add("GET", "/v2/images/{project}/{image}", msg::Right::read, get_image).takes({"fields"});
  router
      .add("PUT", "/v2/images/{project}/{image}", msg::Right::images,
           [work](const ExchangePtr& exchange) { upload_image(exchange, work); })
      .takes({"format", "sha256"});
  router.add("DELETE", "/v2/images/{project}/{image}", msg::Right::images, remove_image)
      .takes({"kept_for_clones"});
  const std::string tag = "/v2/images/{project}/{image}/tags/{tag}";
  router.add("PUT", tag, msg::Right::images, tag_image);
  router.add("DELETE", tag, msg::Right::images, untag_image);
  router
      .add("GET", "/v2/allocations", msg::Right::read,
           watchable<msg::AllocationChanged, msg::AllocationRemoved>(streams, list_allocations))
      .takes_page()
      .takes({"watch"});
  router.add("GET", "/v2/allocations/{allocation}", msg::Right::read, get_allocation)
      .takes({"fields"});
  router.add("PUT", "/v2/allocations/{allocation}", msg::Right::operate, define_allocation)
      .takes({"plan"});
}

}  // namespace nucleus::gateway
