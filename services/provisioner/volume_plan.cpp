#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {

namespace {

std::string url_of(const msg::BaseFile& file, const Config& config) {
  return config.image_store_url + "/base/" + file.content_id + "/" +
         std::string(msg::name_of(file.kind));
}

/// Adds the copy and returns its path; empty if the volume has no such file.
std::string add_copy(HostVolume& planned, const msg::Volume& volume, msg::BaseFileKind kind,
                     const Config& config) {
  const auto* file = msg::find_base(volume, kind);
  if (!file) return {};
  const std::string path =
      copies_directory(config) + "/" + file->content_id + "." + std::string(msg::name_of(kind));
  planned.copies.push_back({.url = url_of(*file, config),
                            .path = path,
                            .size_bytes = file->size_bytes,
                            .sha256 = file->sha256});
  return path;
}

}  // namespace

std::string volumes_directory(const Config& config) {
  return config.state_directory + "/volumes";
}

std::string copies_directory(const Config& config) {
  return config.state_directory + "/images";
}

std::string top_path(const std::string& directory) {
  return directory + "/disk.qcow2";
}

std::string layers_directory(const std::string& directory) {
  return directory + "/layers";
}

std::string layer_path(const std::string& directory, const std::string& content_id) {
  return layers_directory(directory) + "/" + content_id + ".qcow2";
}

std::string sealed_path(const std::string& directory, const std::string& save_id) {
  return layers_directory(directory) + "/" + save_id + ".sealed";
}

std::string base_socket(const HostVolume& volume) {
  return volume.directory + "/base";
}

std::string chunk_socket(const Config& config) {
  return volumes_directory(config) + "/" + std::string(chunk_socket_name);
}

std::string base_path(const std::string& content_id) {
  return "/base/" + content_id + "/disk";
}

core::Result<void> check_disk_place(const msg::Grant& grant, const Config& config) {
  const bool has_disk = !grant.volume.path.empty();
  if (!has_disk || grant.is_disk_on_host == config.keeps_volumes()) return {};
  return core::refuse(core::ErrorCode::wrong_state,
                      grant.is_disk_on_host
                          ? "its disk is on this host, which now uses those of the image store"
                          : "its disk is in the image store, and this host now keeps its own");
}

HostVolume plan_host_volume(const msg::Volume& volume, const Config& config) {
  using enum msg::BaseFileKind;
  HostVolume planned{.node_id = volume.node_id,
                     .directory = volumes_directory(config) + "/" + volume.node_id.value,
                     .ticket = volume.ticket};
  planned.kernel = add_copy(planned, volume, kernel, config);
  planned.initramfs = add_copy(planned, volume, initramfs, config);
  planned.iso = add_copy(planned, volume, iso, config);
  if (volume.disk_bytes == 0) return planned;
  planned.disk = {.path = top_path(planned.directory), .bytes = volume.disk_bytes};
  for (const auto& layer : volume.layers)
    planned.disk->layers.push_back(
        {.content_id = layer.content_id,
         .file = {.url = url_of(layer, config),
                  .path = layer_path(planned.directory, layer.content_id),
                  .size_bytes = layer.size_bytes,
                  .sha256 = layer.sha256}});
  if (const auto* base = msg::find_base(volume, disk)) {
    planned.disk->base_url = url_of(*base, config);
    planned.disk->base_content_id = base->content_id;
    planned.disk->base_format = base->format;
  }
  return planned;
}

}  // namespace nucleus::provisioner
