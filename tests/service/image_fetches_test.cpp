// Images that the image store fetches from a URL: from a real HTTP server, with ranges, redirects
// and faults.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "core/http/server.hpp"
#include "tests/service/uploads_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::UploadState;
using namespace core::http;

/// Serves `file` at /file with ranges and at /plain without, redirects, and answers 503 while it is
/// `busy`.
class Source {
 public:
  explicit Source(std::string file, std::uint16_t port = 0)
      : file_{std::move(file)},
        server_{{.listen = {.endpoint = {.address = "127.0.0.1", .port = port}}},
                [this](const Request& request, const std::shared_ptr<void>&,
                       const Respond& respond) { respond(answer(request)); }} {
    server_.start();
  }
  std::string url(const std::string& path) const { return "http://" + address() + path; }
  std::string address() const { return server_.endpoint().text(); }
  std::uint16_t port() const { return server_.endpoint().port; }
  std::atomic<bool> is_busy = false;
  std::atomic<int> requests = 0;
  std::atomic<std::size_t> bytes_sent = 0;

 private:
  Response answer(const Request& request) {
    ++requests;
    if (is_busy) return {.status = 503};
    if (request.path == "/moved") return {.status = 302, .headers = {{"Location", "/file"}}};
    if (request.path == "/round") return {.status = 302, .headers = {{"Location", "/round"}}};
    if (request.path == "/away")
      return {.status = 302, .headers = {{"Location", "http://localhost:1/file"}}};
    if (request.path == "/local-file")
      return {.status = 302, .headers = {{"Location", "file:///etc/passwd"}}};
    if (request.path != "/file" && request.path != "/plain") return {.status = 404};
    const auto range = request.header("Range");
    const std::string unit = "bytes=";
    if (request.path == "/plain" || !range.starts_with(unit)) return part(200, 0);
    const auto first = std::stoull(range.substr(unit.size()));
    return first < file_.size() ? part(206, first) : Response{.status = 416};
  }
  Response part(int status, std::size_t first) {
    bytes_sent += file_.size() - first;
    Response response{.status = status, .body = file_.substr(first)};
    if (status == 206)
      response.headers["Content-Range"] = "bytes " + std::to_string(first) + "-" +
                                          std::to_string(file_.size() - 1) + "/" +
                                          std::to_string(file_.size());
    return response;
  }

  std::string file_;
  Server server_;
};

class ImageFetches : public Uploads {
 protected:
  void start_fetching(std::map<std::string, std::string> more = {}) {
    more.insert(
        {{"image_store.fetch_networks", "127.0.0.0/8"}, {"image_store.fetch_retry_ms", "50"}});
    start(more);
    settings_ = std::move(more);
  }
  core::Result<msg::UploadTicket> fetch(const std::string& image, const std::string& path,
                                        std::string sha256 = {}) {
    if (sha256.empty()) sha256 = core::sha256_hex(bytes_);
    return ask(msg::BeginUpload{.image_id = {image},
                                .format = msg::ImageFormat::raw,
                                .sha256 = std::move(sha256),
                                .source_url = source_->url(path)});
  }
  /// Why the upload failed; waits for that.
  std::string reason_of_failure(const core::Result<msg::UploadTicket>& begun) {
    if (!begun) return begun.error().detail;
    EXPECT_TRUE(becomes(*begun, UploadState::failed));
    for (const auto& upload : listed())
      if (upload.upload_id == begun->upload_id) return upload.reason;
    return "not listed";
  }
  std::string reason_now(const msg::UploadTicket& begun) {
    for (const auto& upload : listed())
      if (upload.upload_id == begun.upload_id) return upload.reason;
    return "not listed";
  }
  std::unique_ptr<Source> source_ = std::make_unique<Source>(bytes_);
  std::map<std::string, std::string> settings_ = {};
};

TEST_F(ImageFetches, PublishesWhatTheUrlNames) {
  start_fetching();
  for (const std::string path : {"/file", "/plain", "/moved"}) {
    const auto begun = fetch("p/of" + path.substr(1), path);
    ASSERT_TRUE(begun) << begun.error().detail;
    EXPECT_EQ(begun->ticket + begun->url + begun->path, "");
    ASSERT_TRUE(becomes(*begun, UploadState::published)) << path << reason_now(*begun);
  }
  ASSERT_EQ(images().size(), 3U);
  for (const auto& image : images()) EXPECT_EQ(image.sha256, core::sha256_hex(bytes_));
  EXPECT_EQ(listed()[0].source_url.substr(0, 7), "http://");
}

TEST_F(ImageFetches, ContinuesWhatWasReceivedIfTheDigestIsKnown) {
  start_fetching();
  source_->is_busy = true;
  const auto begun = fetch("p/x", "/file");
  ASSERT_TRUE(begun);
  ASSERT_TRUE(eventually([&] { return !reason_now(*begun).empty(); }));
  EXPECT_EQ(reason_now(*begun), "the server of source_url answers HTTP 503");
  EXPECT_EQ(state_of(*begun), UploadState::receiving);
  service_.reset();
  const auto half = bytes_.size() / 2;
  std::ofstream(folder_.file("uploads") + "/" + begun->upload_id, std::ios::binary)
      << bytes_.substr(0, half);
  source_->is_busy = false;
  restart(settings_);
  ASSERT_TRUE(becomes(*begun, UploadState::published)) << reason_now(*begun);
  EXPECT_EQ(source_->bytes_sent, bytes_.size() - half);
}

TEST_F(ImageFetches, BeginsAgainAtAServerWithoutRanges) {
  start_fetching();
  source_->is_busy = true;
  const auto begun = fetch("p/x", "/plain");
  ASSERT_TRUE(begun);
  service_.reset();
  std::ofstream(folder_.file("uploads") + "/" + begun->upload_id, std::ios::binary)
      << std::string(bytes_.size() / 2, 'y');
  source_->is_busy = false;
  restart(settings_);
  ASSERT_TRUE(becomes(*begun, UploadState::published)) << reason_now(*begun);
  EXPECT_EQ(images().at(0).sha256, core::sha256_hex(bytes_));
}

TEST_F(ImageFetches, RefusesAnAddressThatIsNotPublic) {
  start_fetching({{"image_store.fetch_networks", ""}});
  EXPECT_EQ(reason_of_failure(fetch("p/x", "/file")),
            "source_url names an address that is not public");
  EXPECT_EQ(source_->requests, 0);
}

TEST_F(ImageFetches, FollowsNoRedirectToAnotherServer) {
  start_fetching();
  EXPECT_EQ(reason_of_failure(fetch("p/away", "/away")),
            "source_url redirects to another server: give the address there, http://localhost:1");
  EXPECT_NE(reason_of_failure(fetch("p/local", "/local-file")).find("redirects to"),
            std::string::npos);
  EXPECT_EQ(reason_of_failure(fetch("p/round", "/round")),
            "source_url redirects more than 5 times");
  EXPECT_TRUE(images().empty());
}

TEST_F(ImageFetches, RefusesAFileThatIsMissingOrNotTheOneExpected) {
  start_fetching();
  EXPECT_EQ(reason_of_failure(fetch("p/missing", "/none")),
            "the server of source_url answers HTTP 404");
  EXPECT_NE(reason_of_failure(fetch("p/other", "/file", std::string(64, 'a'))).find("sha256"),
            std::string::npos);
  EXPECT_TRUE(images().empty());
}

TEST_F(ImageFetches, KeepsTheProjectsQuota) {
  start_fetching({{"image_store.project_bytes_max", std::to_string(1 << 20)}});
  ASSERT_LE(bytes_.size(), 1U << 20);
  const auto first = fetch("p/first", "/file");
  ASSERT_TRUE(first);
  ASSERT_TRUE(becomes(*first, UploadState::published));
  const auto left = (1U << 20) - bytes_.size();
  EXPECT_EQ(reason_of_failure(fetch("p/second", "/file")),
            "the file at source_url is larger than " + std::to_string(left) + " bytes");
}

TEST_F(ImageFetches, TellsTheSameUploadToARepeatedRequest) {
  start_fetching();
  source_->is_busy = true;
  const auto first = fetch("p/x", "/file");
  const auto again = fetch("p/x", "/file");
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->upload_id, again->upload_id);
  EXPECT_EQ(listed().size(), 1U);
}

TEST_F(ImageFetches, EndsWithItsUpload) {
  start_fetching();
  source_->is_busy = true;
  const auto begun = fetch("p/x", "/file");
  ASSERT_TRUE(begun);
  ASSERT_TRUE(
      ask(msg::RemoveUpload{.viewer = {.projects = {{"p"}}}, .upload_id = begun->upload_id}));
  EXPECT_TRUE(listed().empty());
  source_->is_busy = false;
  const auto other = fetch("p/y", "/file");
  ASSERT_TRUE(other);
  ASSERT_TRUE(becomes(*other, UploadState::published));
  EXPECT_EQ(images().size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("uploads") + "/" + begun->upload_id));
}

TEST_F(ImageFetches, CanBeForbidden) {
  start_fetching({{"image_store.fetches_max", "0"}});
  const auto refused = fetch("p/x", "/file");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::forbidden);
  EXPECT_EQ(refused.error().field, "source_url");
}

}  // namespace
}  // namespace nucleus::tests
