// v2: images, hosts, allocations and usage.
#include <algorithm>
#include <filesystem>

#include "gateway/json/numbers.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
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

/// The image {project}/{image}, or 404 where the caller may not see it.
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
  with_image(exchange, [exchange](const msg::Image& image) {
    if (exchange->path["project"] == "public" && !exchange->is_operator())
      return exchange->refuse(ErrorCode::forbidden, "only operators remove public images");
    exchange->ask(msg::RemoveImage{.image_id = image.image_id},
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

void list_hosts(const ExchangePtr& exchange) {
  exchange->ask(msg::ListHosts{}, [exchange](const msg::Hosts& hosts) {
    reply_page(exchange, {.name = "hosts", .key = "host_id", .items = json_of(hosts)["hosts"]});
  });
}

void with_host(const ExchangePtr& exchange, std::function<void(msg::Host)> next) {
  exchange->ask(msg::ListHosts{}, [exchange, next = std::move(next)](const msg::Hosts& hosts) {
    const msg::HostId id{exchange->path["host"]};
    const auto found = std::ranges::find(hosts.hosts, id, &msg::Host::host_id);
    if (found == hosts.hosts.end()) return exchange->refuse(ErrorCode::not_found, "no such host");
    next(*found);
  });
}

void get_host(const ExchangePtr& exchange) {
  with_host(exchange,
            [exchange](const msg::Host& host) { reply_one(exchange, 200, json_of(host)); });
}

void change_host(const ExchangePtr& exchange) {
  auto body = body_as<msg::DrainHost>(*exchange, {"is_drained", "reason"});
  with_host(exchange, [exchange, body = std::move(body)](const msg::Host& host) mutable {
    if (!body) return exchange->refuse(body.error());
    body->host_id = host.host_id;
    exchange->ask(*body, [exchange](const msg::Done&) { get_host(exchange); });
  });
}

void list_allocations(const ExchangePtr& exchange) {
  exchange->ask(msg::ListAllocations{}, [exchange](const msg::Allocations& all) {
    Collection own{.name = "allocations", .key = "allocation_id"};
    for (const auto& allocation : all.allocations)
      if (msg::sees(exchange->who, allocation.project_id)) own.items.push_back(json_of(allocation));
    reply_page(exchange, std::move(own));
  });
}

void get_allocation(const ExchangePtr& exchange) {
  exchange->ask(msg::ListAllocations{}, [exchange](const msg::Allocations& all) {
    const msg::AllocationId id{exchange->path["allocation"]};
    const auto found = std::ranges::find(all.allocations, id, &msg::Allocation::allocation_id);
    if (found == all.allocations.end() || !msg::sees(exchange->who, found->project_id))
      return exchange->refuse(ErrorCode::not_found, "no such allocation");
    reply_one(exchange, 200, json_of(*found));
  });
}

void define_allocation(const ExchangePtr& exchange) {
  auto body = body_as<msg::DefineAllocation>(*exchange, {"project_id", "limit_core_s"});
  if (!body) return exchange->refuse(body.error());
  body->allocation_id = {exchange->path["allocation"]};
  exchange->ask(*body, [exchange](const msg::Allocation& allocation) {
    reply_one(exchange, 200, json_of(allocation));
  });
}

/// A query's whole number from 0 on; 0 where it is not said.
core::Result<std::int64_t> asked_number(const Exchange& exchange, const std::string& name) {
  if (!exchange.request.query.contains(name)) return 0;
  const auto number = whole_number<std::int64_t>(exchange.request.query_value(name));
  if (number && *number >= 0) return *number;
  return core::refuse(ErrorCode::invalid_argument, name + " must be a whole number", name);
}

void list_usage(const ExchangePtr& exchange) {
  const auto from = asked_number(*exchange, "from_unix_s");
  const auto to = asked_number(*exchange, "to_unix_s");
  const auto after = asked_number(*exchange, "after");
  for (const auto* number : {&from, &to, &after})
    if (!*number) return exchange->refuse(number->error());
  const msg::ListUsage request{.projects = exchange->who.projects,
                               .is_operator = exchange->is_operator(),
                               .allocation_id = {exchange->request.query_value("allocation_id")},
                               .from_unix_s = *from,
                               .to_unix_s = *to,
                               .after = *after};
  exchange->ask(request, [exchange](const msg::Usage& usage) {
    reply_page(exchange, {.name = "entries",
                          .key = "computeset_id",
                          .items = json_of(usage)["entries"],
                          .is_more = usage.is_more});
  });
}

}  // namespace

void add_v2_centre_routes(Router& router, EventStreams& streams, const FileWork& work) {
  router.add("GET", "/v2/images", msg::Right::read,
             watchable<msg::ImagePublished>(streams, list_images));
  router.add("GET", "/v2/images/{project}/{image}", msg::Right::read, get_image);
  router.add("PUT", "/v2/images/{project}/{image}", msg::Right::images,
             [work](const ExchangePtr& exchange) { upload_image(exchange, work); });
  router.add("DELETE", "/v2/images/{project}/{image}", msg::Right::images, remove_image);
  router.add("GET", "/v2/hosts", msg::Right::operate,
             watchable<msg::HostChanged>(streams, list_hosts));
  router.add("GET", "/v2/hosts/{host}", msg::Right::operate, get_host);
  router.add("PATCH", "/v2/hosts/{host}", msg::Right::operate, change_host);
  router.add("GET", "/v2/allocations", msg::Right::read, list_allocations);
  router.add("GET", "/v2/allocations/{allocation}", msg::Right::read, get_allocation);
  router.add("PUT", "/v2/allocations/{allocation}", msg::Right::operate, define_allocation);
  router.add("GET", "/v2/usage", msg::Right::read, list_usage);
}

}  // namespace nucleus::gateway
