// The image store's server for hosts, over real TLS: what a ticket opens, and what it does not.
#include "services/image_store/driver/file_server.hpp"

#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "services/image_store/driver/qcow2_store.hpp"
#include "services/image_store/service.hpp"
#include "tests/support/authority.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

using msg::BaseFileKind;
using testing::HasSubstr;

struct Answer {
  long status = 0;  // 0 = the transfer failed
  std::map<std::string, std::string, core::http::CaseInsensitiveLess> headers = {};
  std::string body = {};
};

struct Ask {
  std::string ticket = {};
  std::string range = {};
  std::string method = "GET";
  std::string scheme = "Bearer";
  std::string ca_file = {};  // empty = the server's
};

class FileServer : public testing::Test {
 protected:
  FileServer() {
    for (const char* name : {"disk", "kernel"}) {
      std::string& bytes = name == std::string("disk") ? disk_ : kernel_;
      bytes.resize(name == std::string("disk") ? disk_bytes : 1000);
      for (auto& byte : bytes) byte = static_cast<char>(random_());
      std::ofstream(folder_.file(name), std::ios::binary) << bytes;
    }
  }
  void start() {
    ASSERT_TRUE(registry_.emit(msg::ProjectDefined{{"p"}}));
    auto names = std::map<std::string, std::string>{
        {"image_store.images_directory", folder_.file("images")},
        {"image_store.uploads_directory", folder_.file("uploads")},
        {"image_store.volumes_directory", folder_.file("volumes")},
        {"image_store.hosts_listen", "127.0.0.1:0"},
        {"image_store.tls_certificate", authority_.files().certificate},
        {"image_store.tls_key", authority_.files().key}};
    service_ = std::make_unique<Process>(
        deployment_, "image_store", std::move(names),
        [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          auto config = image_store::Config::from(runtime.settings);
          if (!config) return std::unexpected(config.error());
          auto service = std::make_shared<image_store::Service>(runtime, *config,
                                                                image_store::make_driver(*config));
          url_ = "https://" + service->hosts_endpoint()->text();
          return service;
        });
  }
  void import(const std::string& image) {
    const auto done = caller_.call(msg::ImportImage{.image_id = {image},
                                                    .format = msg::ImageFormat::raw,
                                                    .disk_path = folder_.file("disk"),
                                                    .kernel_path = folder_.file("kernel")},
                                   {.deadline = wait_timeout});
    ASSERT_TRUE(done) << done.error().detail;
  }
  /// The ready volume of a new node.
  msg::Volume define(const std::string& node, const std::string& image,
                     const std::string& iso = {}) {
    EXPECT_TRUE(registry_.emit(msg::NodeDefined{{.node_id = {node},
                                                 .cluster_id = {"c"},
                                                 .project_id = {"p"},
                                                 .name = node,
                                                 .disk_gb = 1,
                                                 .image_id = {image},
                                                 .iso_id = {iso}}}));
    const auto placed = events_.next<msg::VolumePlaced>([&](const msg::VolumePlaced& event) {
      return event.volume.node_id.value == node && event.is_ready;
    });
    EXPECT_TRUE(placed);
    return placed ? placed->volume : msg::Volume{};
  }
  static std::string path_of(const msg::Volume& volume, BaseFileKind kind) {
    const auto* file = msg::find_base(volume, kind);
    EXPECT_TRUE(file);
    return file ? "/base/" + file->content_id + "/" + std::string(msg::name_of(kind)) : "";
  }

  Answer ask(const std::string& path, const Ask& ask) {
    Answer answer;
    CURL* handle = curl_easy_init();
    curl_slist* headers = nullptr;
    const auto set = [handle](CURLoption option, auto value) {
      curl_easy_setopt(handle, option, value);
    };
    if (!ask.ticket.empty())
      headers =
          curl_slist_append(headers, ("Authorization: " + ask.scheme + " " + ask.ticket).c_str());
    if (!ask.range.empty()) headers = curl_slist_append(headers, ("Range: " + ask.range).c_str());
    const std::string url = url_ + path;
    const std::string ca_file = ask.ca_file.empty() ? authority_.ca_file() : ask.ca_file;
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_CAINFO, ca_file.c_str());
    set(CURLOPT_PROXY, "");
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_CUSTOMREQUEST, ask.method.c_str());
    if (ask.method == "HEAD") set(CURLOPT_NOBODY, 1L);
    set(CURLOPT_TIMEOUT, 20L);
    set(CURLOPT_WRITEDATA, &answer.body);
    set(
        CURLOPT_WRITEFUNCTION, +[](char* bytes, std::size_t size, std::size_t count, void* body) {
          static_cast<std::string*>(body)->append(bytes, size * count);
          return size * count;
        });
    set(CURLOPT_HEADERDATA, &answer);
    set(
        CURLOPT_HEADERFUNCTION, +[](char* bytes, std::size_t size, std::size_t count, void* to) {
          const std::string line(bytes, size * count);
          if (const auto colon = line.find(": "); colon != line.npos)
            static_cast<Answer*>(to)->headers[line.substr(0, colon)] =
                line.substr(colon + 2, line.size() - colon - 4);
          return size * count;
        });
    if (curl_easy_perform(handle) == CURLE_OK)
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
    return answer;
  }

  static constexpr std::size_t disk_bytes = (5 << 20) + 512;
  std::mt19937 random_{1};
  std::string disk_ = {};
  std::string kernel_ = {};
  TemporaryFolder folder_ = {};
  Authority authority_ = {};
  Deployment deployment_ = {};
  Events events_{deployment_};
  StandIn registry_{deployment_, "registry"};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
  std::string url_ = {};
};

TEST_F(FileServer, ServesTheFilesOfAVolumesBaseByItsTicket) {
  start();
  import("p/x");
  import("p/iso");
  const auto volume = define("n", "p/x", "p/iso");
  EXPECT_EQ(volume.ticket.size(), 64U) << "256 bits";
  EXPECT_EQ(volume.disk_bytes, 1U << 30);
  ASSERT_EQ(volume.base.size(), 3U);
  const auto* disk = msg::find_base(volume, BaseFileKind::disk);
  EXPECT_EQ(disk->format, "raw");
  EXPECT_EQ(disk->size_bytes, disk_bytes);
  EXPECT_EQ(disk->sha256, core::sha256_hex(disk_));
  const auto* kernel = msg::find_base(volume, BaseFileKind::kernel);
  EXPECT_EQ(kernel->size_bytes, kernel_.size());
  EXPECT_EQ(kernel->sha256, core::sha256_hex(kernel_));

  const auto head =
      ask(path_of(volume, BaseFileKind::disk), {.ticket = volume.ticket, .method = "HEAD"});
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("Content-Length"), std::to_string(disk_bytes));
  EXPECT_EQ(head.headers.at("Accept-Ranges"), "bytes");
  const auto middle = ask(path_of(volume, BaseFileKind::disk),
                          {.ticket = volume.ticket, .range = "bytes=1000-70000"});
  EXPECT_EQ(middle.status, 206);
  EXPECT_EQ(middle.body, disk_.substr(1000, 69001));
  EXPECT_EQ(middle.headers.at("Content-Range"), "bytes 1000-70000/" + std::to_string(disk_bytes));
  const auto whole = ask(path_of(volume, BaseFileKind::kernel), {.ticket = volume.ticket});
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, kernel_);
  EXPECT_EQ(
      ask(path_of(volume, BaseFileKind::iso), {.ticket = volume.ticket, .range = "bytes=0-9"}).body,
      disk_.substr(0, 10));
}

TEST_F(FileServer, AnswersRangesWithinTheFileAndOfAtMost4MiB) {
  start();
  import("p/x");
  const auto volume = define("n", "p/x");
  const auto path = path_of(volume, BaseFileKind::disk);
  const auto ranged = [&](const std::string& range) {
    return ask(path, {.ticket = volume.ticket, .range = range});
  };
  const auto last = std::to_string(disk_bytes - 1);
  const auto size = std::to_string(disk_bytes);
  EXPECT_EQ(ranged("bytes=0-0").body, disk_.substr(0, 1));
  EXPECT_EQ(ranged("bytes=" + last + "-" + last).body, disk_.substr(disk_bytes - 1));
  EXPECT_EQ(ranged("bytes=" + last + "-").body, disk_.substr(disk_bytes - 1));
  EXPECT_EQ(ranged("bytes=-17").body, disk_.substr(disk_bytes - 17));
  EXPECT_EQ(ranged("bytes=" + last + "-99999999999").body, disk_.substr(disk_bytes - 1));
  EXPECT_EQ(ranged("bytes=0-4194303").body, disk_.substr(0, 4 << 20));
  for (const auto& beyond : {"bytes=" + size + "-", "bytes=" + size + "-" + size})
    EXPECT_EQ(ranged(beyond).status, 416) << beyond;
  EXPECT_EQ(ranged("bytes=" + size + "-").headers.at("Content-Range"), "bytes */" + size);
  EXPECT_EQ(ranged("bytes=-0").status, 416);
  for (const auto* refused :
       {"bytes=0-4194304", "bytes=0-", "bytes=-5000000", "bytes=5-4", "bytes=0-1,4-5", "bytes=x-1",
        "bytes=1-x", "bytes=-", "bytes=", "bytes", "lines=0-1", "bytes=-1-2", "bytes=+1-2",
        "bytes=0-18446744073709551616"})
    EXPECT_EQ(ranged(refused).status, 400) << refused;
  const auto whole = ask(path, {.ticket = volume.ticket});
  EXPECT_EQ(whole.status, 400);
  EXPECT_THAT(whole.body, HasSubstr("at most 4194304 bytes"));
}

TEST_F(FileServer, OpensNothingElseToATicket) {
  start();
  import("p/x");
  import("p/y");
  const auto mine = define("n", "p/x");
  const auto other = define("m", "p/y");
  EXPECT_NE(mine.ticket, other.ticket);
  const auto path = path_of(mine, BaseFileKind::kernel);
  EXPECT_EQ(ask(path, {.ticket = mine.ticket}).status, 200);
  EXPECT_EQ(ask(path, {.ticket = mine.ticket, .scheme = "bearer"}).status, 200) << "in any case";
  EXPECT_EQ(ask(path, {.ticket = mine.ticket, .scheme = "Basic"}).status, 401);
  EXPECT_EQ(ask(path, {}).status, 401);
  EXPECT_EQ(ask(path, {.ticket = "wrong"}).status, 401);
  EXPECT_EQ(ask(path, {.ticket = std::string(5000, 'x')}).status, 401);
  EXPECT_EQ(ask(path, {.ticket = mine.ticket.substr(0, 63)}).status, 401);
  EXPECT_EQ(ask(path, {.ticket = other.ticket}).status, 404) << "of another volume";
  const auto content = msg::find_base(mine, BaseFileKind::kernel)->content_id;
  for (const auto& trick : std::vector<std::string>{
           "/base/" + content + "/iso", "/base/" + content, "/base/" + content + "/",
           "/base/" + content + "/unknown", "/base//kernel", "/base/../" + content + "/kernel",
           "/base/" + content + "/../" + content + "/kernel", "/base/%2e%2e/kernel",
           "/base/" + content + "%2fkernel/kernel", "/base/" + content + "/kernel/", path + "?x=1",
           std::string("/etc/passwd"), std::string("/"), "//base/" + content + "/kernel"})
    EXPECT_NE(ask(trick, {.ticket = mine.ticket}).status, 200) << trick;
  for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS"})
    EXPECT_NE(ask(path, {.ticket = mine.ticket, .method = method}).status, 200) << method;
}

TEST_F(FileServer, ForgetsTheTicketOfARemovedVolumeAndKeepsOthersOverARestart) {
  start();
  import("p/x");
  const auto kept = define("n", "p/x");
  const auto removed = define("m", "p/x");
  ASSERT_TRUE(registry_.emit(msg::NodeRemoved{{.node_id = {"m"}, .project_id = {"p"}}}));
  EXPECT_TRUE(eventually([&] {
    return ask(path_of(removed, BaseFileKind::kernel), {.ticket = removed.ticket}).status == 401;
  }));
  service_.reset();
  EXPECT_EQ(ask(path_of(kept, BaseFileKind::kernel), {.ticket = kept.ticket}).status, 0);
  start();
  EXPECT_TRUE(eventually([&] {
    return ask(path_of(kept, BaseFileKind::kernel), {.ticket = kept.ticket}).status == 200;
  }));
}

TEST_F(FileServer, SpeaksTlsAloneAndShowsTheTicketToNoProject) {
  start();
  import("p/x");
  const auto volume = define("n", "p/x");
  const auto path = path_of(volume, BaseFileKind::kernel);
  const Authority stranger;
  EXPECT_EQ(ask(path, {.ticket = volume.ticket, .ca_file = stranger.ca_file()}).status, 0);
  const auto secure = std::exchange(url_, "http://" + url_.substr(url_.find("//") + 2));
  EXPECT_NE(ask(path, {.ticket = volume.ticket}).status, 200);
  for (const auto& body : events_.bodies_of_project("p"))
    EXPECT_EQ(body.find(volume.ticket), std::string::npos);
  const auto listed =
      caller_.call(msg::ListVolumes{.viewer = {.is_operator = true}}, {.deadline = wait_timeout});
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->volumes.size(), 1U);
  EXPECT_EQ(msg::encode(*listed).find(volume.ticket), std::string::npos);
}

}  // namespace
}  // namespace nucleus::tests
