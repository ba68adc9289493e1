// image upload and iso upload: to the image store in parts that survive a lost connection, and an
// earlier run of this program (tus 1.0).
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <vector>

#include "client/commands/commands.hpp"
#include "client/commands/publication.hpp"
#include "client/commands/transfer.hpp"
#include "client/http/url.hpp"
#include "client/terminal/interrupt.hpp"
#include "client/terminal/terminal.hpp"
#include "core/digest/digest.hpp"

namespace nucleus::client {

using core::ErrorCode;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::uint64_t part_bytes = 64 << 20;  // durable at the server after each of them
// Together some five minutes, in which the server may be started again.
constexpr int attempts_max = 60;
constexpr std::chrono::milliseconds attempt_delay_first{250};
constexpr std::chrono::milliseconds attempt_delay_max{5'000};

struct LocalImage {
  std::string path = {};
  std::string image_id = {};  // PROJECT/NAME
  std::string format = {};
  std::uint64_t size_bytes = 0;
  std::string sha256 = {};
  std::string firmware = "bios";
};

/// By its first bytes; else by its ending.
std::string format_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string head(32'774, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  if (head.starts_with("QFI\xfb")) return "qcow2";
  if (head.substr(32'769) == "CD001") return "iso";
  const auto ending = std::filesystem::path(path).extension();
  return ending == ".img" || ending == ".raw" ? "raw" : "iso";
}

std::string sha256_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  core::Hasher hasher(core::Hasher::Algorithm::sha256);
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || file.gcount() > 0)
    hasher.add({buffer.data(), static_cast<std::size_t>(file.gcount())});
  return hasher.finish_hex();
}

core::Result<LocalImage> local_image(const Api& api, const Words& words,
                                     const std::string& format) {
  LocalImage image{.path = words["PATH"]};
  std::error_code fault;
  if (!std::filesystem::is_regular_file(image.path, fault))
    return core::refuse(ErrorCode::invalid_argument, "not a file: " + image.path);
  image.size_bytes = std::filesystem::file_size(image.path, fault);
  if (fault || image.size_bytes == 0 || !std::ifstream(image.path))
    return core::refuse(ErrorCode::invalid_argument, "cannot read " + image.path);
  std::string name = std::filesystem::path(image.path).filename().string();
  for (const char* option : {"--isoname", "--imagename"})
    if (words.has(option)) name = words[option];
  if (words.has("--firmware")) image.firmware = words["--firmware"];
  image.format = format.empty() ? format_of_file(image.path) : format;
  const auto image_id = new_image_id(api, name);
  if (!image_id) return std::unexpected(image_id.error());
  image.image_id = *image_id;
  image.sha256 = sha256_of_file(image.path);
  return image;
}

/// An upload as the server knows it: begun now, or by an earlier run with the same file.
struct RemoteUpload {
  std::string upload_id = {};
  std::string url = {};
  std::string ticket = {};
  std::uint64_t offset = 0;
};

core::Result<RemoteUpload> begin_or_continue(const Api& api, const LocalImage& image) {
  const auto path = path_of_image(image.image_id) + "/uploads";
  const auto begun =
      api.post(path, Json::object({{"format", image.format},
                                   {"size_bytes", static_cast<std::int64_t>(image.size_bytes)},
                                   {"sha256", image.sha256},
                                   {"firmware", image.firmware}}));
  if (!begun) return std::unexpected(refused_image(begun.error(), image.image_id));
  return RemoteUpload{
      .upload_id = (*begun)["upload_id"].text(),
      .url = (*begun)["url"].text(),
      .ticket = (*begun)["ticket"].text(),
      .offset = static_cast<std::uint64_t>((*begun)["offset_bytes"].number().value_or(0))};
}

/// Whether another attempt may succeed: the connection was lost, another request writes, the offset
/// has moved, or the ticket is not the newest.
bool is_worth_repeating(const core::Result<Response>& sent) {
  if (!sent) return sent.error().code == ErrorCode::unavailable && !is_interrupted();
  const auto status = sent->status;
  return status == 401 || status == 404 || status == 409 || status == 410 || status == 423 ||
         (status >= 500 && status != 507);
}

class Sending {
 public:
  Sending(const Api& api, const LocalImage& image) : api_{api}, image_{image} {}

  /// Returns the upload's id once all bytes are durable.
  core::Result<std::string> run() {
    auto upload = begin_or_continue(api_, image_);
    if (!upload) return std::unexpected(upload.error());
    if (upload->offset > 0)
      std::cout << "image " << image_.image_id << ": continues at " << shown_bytes(upload->offset)
                << std::endl;
    int attempts = 0;
    auto delay = attempt_delay_first;
    while (upload->offset < image_.size_bytes) {
      const auto sent = send_part(*upload);
      if (sent && sent->status == 204) {
        attempts = 0;
        delay = attempt_delay_first;
        continue;
      }
      const auto error = sent ? error_of(*sent) : sent.error();
      if (!is_worth_repeating(sent) || ++attempts > attempts_max) return std::unexpected(error);
      show("image " + image_.image_id + ": " + error.detail + "; trying again");
      sleep_until_interrupt(delay);
      if (is_interrupted()) return core::refuse(ErrorCode::unavailable, "interrupted");
      delay = std::min(delay * 2, attempt_delay_max);
      if (has_all_bytes(upload->upload_id)) return upload->upload_id;
      const auto known = upload->offset;
      auto again = begin_or_continue(api_, image_);
      if (again) *upload = *again;
      // Also the gateway may be away for some time.
      if (!again && again.error().code != ErrorCode::unavailable)
        return std::unexpected(again.error());
      if (upload->offset > known) attempts = 0;
    }
    return upload->upload_id;
  }

 private:
  core::Result<Response> send_part(RemoteUpload& upload) {
    const auto count = std::min(part_bytes, image_.size_bytes - upload.offset);
    const auto before = session_bytes_;
    const FileBody part{.path = image_.path,
                        .offset = upload.offset,
                        .size_bytes = count,
                        .on_progress = [&](std::uint64_t sent) {
                          session_bytes_ = before + sent;
                          show_progress(upload.offset + sent);
                        }};
    auto sent = api_.send_part(upload.url, upload.ticket, part);
    if (sent && sent->status == 204) {
      session_bytes_ = before + count;
      upload.offset += count;
    }
    return sent;
  }

  /// The answer to the last part may have been lost.
  bool has_all_bytes(const std::string& upload_id) const {
    const auto upload = api_.get("/v2/uploads/" + encoded(upload_id));
    const auto state = upload ? (*upload)["state"].text() : "";
    return state == "checking" || state == "published";
  }

  void show_progress(std::uint64_t done_bytes) {
    const std::chrono::duration<double> passed = Clock::now() - begun_;
    show("image " + image_.image_id + ": " +
         shown_transfer({.size_bytes = image_.size_bytes,
                         .done_bytes = done_bytes,
                         .session_bytes = session_bytes_,
                         .session_s = passed.count()}));
  }
  void show(const std::string& line) {
    if (is_output_terminal()) line_.show(line);
  }

  const Api& api_;
  const LocalImage& image_;
  ProgressLine line_ = {};
  Clock::time_point begun_ = Clock::now();
  std::uint64_t session_bytes_ = 0;
};

core::Result<int> upload(const Api& api, const Words& words, const std::string& format) {
  const auto image = local_image(api, words, format);
  if (!image) return std::unexpected(image.error());
  const auto upload_id = Sending(api, *image).run();
  if (!upload_id) return std::unexpected(upload_id.error());
  if (auto published = wait_until_published(api, image->image_id, *upload_id); !published)
    return published;
  std::cout << "image " << image->image_id.substr(image->image_id.find('/') + 1) << " uploaded\n";
  return 0;
}

}  // namespace

core::Result<int> upload_image(const Api& api, const Words& words) {
  return upload(api, words, "");
}
core::Result<int> upload_iso(const Api& api, const Words& words) {
  return upload(api, words, "iso");
}

}  // namespace nucleus::client
