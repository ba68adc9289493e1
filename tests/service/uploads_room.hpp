// The image store with its listener for uploads, over real TLS, and a tus client that can cut a
// part off at any byte.
#pragma once

#include <curl/curl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "services/image_store/service.hpp"
#include "tests/support/authority.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {

struct TusAnswer {
  long status = 0;  // 0 = the transfer failed
  core::http::Headers headers = {};
  std::string body = {};
  std::uint64_t offset() const { return std::stoull(headers.at("Upload-Offset")); }
};

struct TusAsk {
  std::string method = "HEAD";
  std::uint64_t offset = 0;
  std::string body = {};
  std::string checksum = {};
  std::uint64_t cut_after = UINT64_MAX;  // bytes of the body, then the connection is closed
  std::vector<std::string> headers = {};
  std::string version = "1.0.0";
  std::string type = "application/offset+octet-stream";
  std::function<void()> on_half = {};  // called once, when half of the body was sent
};

class Uploads : public testing::Test {
 protected:
  Uploads() {
    for (auto& byte : bytes_) byte = static_cast<char>(random_());
  }
  void start(std::map<std::string, std::string> more = {}) {
    ASSERT_TRUE(registry_.emit(msg::ProjectDefined{{"p"}}, msg::ProjectDefined{{"q"}}));
    restart(std::move(more));
  }
  void restart(std::map<std::string, std::string> more = {}) {
    service_.reset();
    std::map<std::string, std::string> names{
        {"image_store.images_directory", folder_.file("images")},
        {"image_store.uploads_directory", folder_.file("uploads")},
        {"image_store.volumes_directory", folder_.file("volumes")},
        {"image_store.hosts_listen", hosts_listen_},
        {"image_store.tls_certificate", authority_.files().certificate},
        {"image_store.tls_key", authority_.files().key},
        {"image_store.uploads_listen", listen_},
        {"image_store.uploads_tls_certificate", authority_.files().certificate},
        {"image_store.uploads_tls_key", authority_.files().key}};
    more.merge(names);
    service_ = std::make_unique<Process>(
        deployment_, "image_store", std::move(more),
        [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          auto config = image_store::Config::from(runtime.settings);
          if (!config) return std::unexpected(config.error());
          auto service = std::make_shared<image_store::Service>(runtime, *config,
                                                                image_store::make_driver(*config));
          listen_ = service->uploads_endpoint()->text();
          hosts_listen_ = service->hosts_endpoint()->text();
          return service;
        });
  }
  template <class Request>
  core::Result<typename Request::Reply> ask(const Request& request) {
    return caller_.call(request, {.deadline = wait_timeout});
  }
  core::Result<msg::UploadTicket> begin(const std::string& image, msg::BeginUpload more = {}) {
    more.image_id = {image};
    if (more.format == msg::ImageFormat::unknown) more.format = msg::ImageFormat::raw;
    if (more.size_bytes == 0) more.size_bytes = bytes_.size();
    return ask(more);
  }
  std::vector<msg::ImageUpload> listed(const msg::Viewer& viewer = {.projects = {{"p"}}}) {
    const auto uploads = ask(msg::ListUploads{.viewer = viewer});
    EXPECT_TRUE(uploads) << uploads.error().detail;
    return uploads ? uploads->uploads : std::vector<msg::ImageUpload>{};
  }
  msg::UploadState state_of(const msg::UploadTicket& ticket) {
    for (const auto& upload : listed())
      if (upload.upload_id == ticket.upload_id) return upload.state;
    return msg::UploadState::unknown;
  }
  bool becomes(const msg::UploadTicket& ticket, msg::UploadState state) {
    return eventually([&] { return state_of(ticket) == state; });
  }
  std::vector<msg::Image> images() {
    return ask(msg::ListImages{.viewer = {.is_operator = true}})->images;
  }

  struct Body {
    const TusAsk* ask;
    std::size_t at = 0;
    bool is_half_told = false;
  };
  static std::size_t read_body(char* into, std::size_t size, std::size_t count, void* from) {
    auto& body = *static_cast<Body*>(from);
    if (body.at >= body.ask->cut_after) return CURL_READFUNC_ABORT;
    const auto end = std::min<std::uint64_t>(body.ask->body.size(), body.ask->cut_after);
    const auto some = std::min<std::size_t>({size * count, end - body.at, 4096});
    std::memcpy(into, body.ask->body.data() + body.at, some);
    body.at += some;
    if (body.ask->on_half && !body.is_half_told && body.at * 2 >= body.ask->body.size()) {
      body.is_half_told = true;
      body.ask->on_half();
    }
    return some;
  }

  TusAnswer tus(const msg::UploadTicket& ticket, const TusAsk& ask) {
    TusAnswer answer;
    Body body{.ask = &ask};
    CURL* handle = curl_easy_init();
    curl_slist* headers = nullptr;
    const auto set = [handle](CURLoption option, auto value) {
      curl_easy_setopt(handle, option, value);
    };
    const auto add = [&](const std::string& line) {
      headers = curl_slist_append(headers, line.c_str());
    };
    if (!ask.version.empty()) add("Tus-Resumable: " + ask.version);
    if (!ticket.ticket.empty()) add("Authorization: Bearer " + ticket.ticket);
    if (ask.method == "PATCH") {
      add("Content-Type: " + ask.type);
      add("Upload-Offset: " + std::to_string(ask.offset));
      add("Expect:");
      if (!ask.checksum.empty()) add("Upload-Checksum: " + ask.checksum);
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(ask.body.size()));
      set(CURLOPT_READFUNCTION, read_body);
      set(CURLOPT_READDATA, &body);
    }
    for (const auto& line : ask.headers) add(line);
    const auto ca_file = authority_.ca_file();
    set(CURLOPT_URL, ticket.url.c_str());
    set(CURLOPT_CAINFO, ca_file.c_str());
    set(CURLOPT_PROXY, "");
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_CUSTOMREQUEST, ask.method.c_str());
    if (ask.method == "HEAD") set(CURLOPT_NOBODY, 1L);
    set(CURLOPT_TIMEOUT, 20L);
    set(CURLOPT_WRITEDATA, &answer.body);
    set(
        CURLOPT_WRITEFUNCTION, +[](char* part, std::size_t size, std::size_t count, void* to) {
          static_cast<std::string*>(to)->append(part, size * count);
          return size * count;
        });
    set(CURLOPT_HEADERDATA, &answer);
    set(
        CURLOPT_HEADERFUNCTION, +[](char* part, std::size_t size, std::size_t count, void* to) {
          const std::string line(part, size * count);
          if (const auto colon = line.find(": "); colon != line.npos)
            static_cast<TusAnswer*>(to)->headers[line.substr(0, colon)] =
                line.substr(colon + 2, line.size() - colon - 4);
          return size * count;
        });
    if (curl_easy_perform(handle) == CURLE_OK)
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
    return answer;
  }
  TusAnswer patch(const msg::UploadTicket& ticket, std::uint64_t offset, const std::string& body,
                  const std::string& checksum = {}) {
    return tus(ticket, {.method = "PATCH", .offset = offset, .body = body, .checksum = checksum});
  }
  /// The bytes received, once no request writes to the upload any more.
  std::uint64_t offset_of(const msg::UploadTicket& ticket) {
    TusAnswer head;
    EXPECT_TRUE(eventually([&] {
      head = tus(ticket, {});
      return head.status == 200;
    })) << head.status
        << " " << head.body;
    return head.status == 200 ? head.offset() : UINT64_MAX;
  }
  static std::string sha256_of(const std::string& part) {
    return "sha256 " + core::to_base64(core::sha256(part));
  }

  std::mt19937 random_{1};
  std::string bytes_ = std::string(1 << 20, '\0');
  std::string listen_ = "127.0.0.1:0";
  std::string hosts_listen_ = "127.0.0.1:0";
  TemporaryFolder folder_ = {};
  Authority authority_ = {};
  Deployment deployment_ = {};
  Events events_{deployment_};
  StandIn registry_{deployment_, "registry"};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

}  // namespace nucleus::tests
