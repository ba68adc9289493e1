// v2: the disk of a node and its generations.
#include "messages/disks.hpp"

#include "gateway/json/numbers.hpp"
#include "gateway/uploads/uploads.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

/// The generation {generation} of the path.
core::Result<std::uint64_t> generation_of_path(const Exchange& exchange) {
  const auto number = whole_number<std::uint64_t>(exchange.path.at("generation"));
  if (number && *number > 0) return *number;
  return core::refuse(ErrorCode::not_found, "no such generation");
}

void get_disk(const ExchangePtr& exchange) {
  exchange->ask(
      msg::GetDisk{.node = node_of_path(*exchange), .viewer = msg::viewer_of(exchange->who)},
      [exchange](const msg::NodeDisk& disk) { reply_one(exchange, 200, json_of(disk)); });
}

/// Answers with the disk, whose work is under way then.
void change_disk(const ExchangePtr& exchange, msg::ChangeDisk change) {
  change.node = node_of_path(*exchange);
  change.viewer = msg::viewer_of(exchange->who);
  exchange->ask(change,
                [exchange](const msg::NodeDisk& disk) { reply_one(exchange, 202, json_of(disk)); });
}

void save(const ExchangePtr& exchange) {
  auto change = body_as<msg::ChangeDisk>(*exchange, {"name"});
  if (!change) return exchange->refuse(change.error());
  change->kind = msg::DiskWorkKind::save;
  change_disk(exchange, std::move(*change));
}

void roll_back(const ExchangePtr& exchange) {
  auto change = body_as<msg::ChangeDisk>(*exchange, {"generation"});
  if (!change) return exchange->refuse(change.error());
  if (!sets(*exchange, "generation"))
    return exchange->refuse(msg::invalid("generation", "generation must be set"));
  change->kind = msg::DiskWorkKind::roll_back;
  change_disk(exchange, std::move(*change));
}

void remove_generation(const ExchangePtr& exchange) {
  const auto generation = generation_of_path(*exchange);
  if (!generation) return exchange->refuse(generation.error());
  change_disk(exchange, {.kind = msg::DiskWorkKind::remove, .generation = *generation});
}

void save_image(const ExchangePtr& exchange) {
  const auto generation = generation_of_path(*exchange);
  if (!generation) return exchange->refuse(generation.error());
  const auto body = body_as<msg::SaveImage>(*exchange, {"image_id"});
  if (!body) return exchange->refuse(body.error());
  const auto image_id = image_to_make(*exchange, body->image_id.value);
  if (!image_id) return exchange->refuse(image_id.error());
  with_node(
      exchange, [exchange, generation = *generation, image_id = *image_id](const msg::Node& node) {
        exchange->ask(
            msg::SaveImage{.viewer = msg::viewer_of(exchange->who),
                           .node_id = node.node_id,
                           .generation = generation,
                           .image_id = image_id,
                           .person_id = exchange->who.person_id,
                           .person_uid = exchange->who.person_uid},
            [exchange](const msg::UploadTicket& begun) {
              reply_one(exchange, 202,
                        {{"upload_id", begun.upload_id}, {"expires_unix_s", begun.expires_unix_s}});
            });
      });
}

}  // namespace

void add_v2_disk_routes(Router& router) {
  const std::string disk = "/v2/clusters/{cluster}/nodes/{node}/disk";
  router.add("GET", disk, msg::Right::read, get_disk).takes({"fields"});
  router.add("POST", disk + "/generations", msg::Right::define, save);
  router.add("POST", disk + "/rollback", msg::Right::define, roll_back);
  router.add("DELETE", disk + "/generations/{generation}", msg::Right::define, remove_generation);
  router.add("POST", disk + "/generations/{generation}/image", msg::Right::images, save_image);
}

}  // namespace nucleus::gateway
