// Resumable uploads over the image store's real listener: what is kept of a cut part, what a ticket
// opens, and what becomes of an upload.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "tests/service/uploads_room.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;
using msg::UploadState;
using testing::HasSubstr;

TEST_F(Uploads, PublishesAnUploadWithItsLastByte) {
  start();
  const auto ticket = begin("p/x", {.sha256 = core::sha256_hex(bytes_)});
  ASSERT_TRUE(ticket) << ticket.error().detail;
  EXPECT_EQ(ticket->ticket.size(), 64U) << "256 bits";
  EXPECT_EQ(ticket->url.find(ticket->ticket), std::string::npos);
  const auto head = tus(*ticket, {});
  ASSERT_EQ(head.status, 200);
  EXPECT_EQ(head.offset(), 0U);
  EXPECT_EQ(head.headers.at("Upload-Length"), std::to_string(bytes_.size()));
  EXPECT_EQ(head.headers.at("Tus-Resumable"), "1.0.0");
  EXPECT_EQ(head.headers.at("Cache-Control"), "no-store");
  const auto first = patch(*ticket, 0, bytes_.substr(0, 1000));
  ASSERT_EQ(first.status, 204) << first.body;
  EXPECT_EQ(first.offset(), 1000U);
  EXPECT_THAT(first.headers.at("Upload-Expires"), HasSubstr("GMT"));
  EXPECT_EQ(listed().at(0).offset_bytes, 1000U);
  EXPECT_TRUE(images().empty());
  ASSERT_EQ(patch(*ticket, 1000, bytes_.substr(1000)).status, 204);
  ASSERT_TRUE(becomes(*ticket, UploadState::published));
  const auto published = events_.next<msg::ImagePublished>();
  ASSERT_TRUE(published);
  EXPECT_EQ(published->image.sha256, core::sha256_hex(bytes_));
  EXPECT_EQ(published->image.size_bytes, bytes_.size());
  EXPECT_TRUE(eventually([&] { return fs::is_empty(folder_.file("uploads")); }));
  EXPECT_EQ(tus(*ticket, {}).offset(), bytes_.size());
}

TEST_F(Uploads, GoesOnAfterACutAtEachPercent) {
  start();
  const auto ticket = begin("p/x", {.sha256 = core::sha256_hex(bytes_)});
  ASSERT_TRUE(ticket);
  for (std::uint64_t percent = 1; percent < 100; ++percent) {
    const auto offset = offset_of(*ticket);
    const auto end = bytes_.size() * percent / 100;
    ASSERT_LE(offset, end) << "no more than was sent";
    const auto cut = tus(*ticket, {.method = "PATCH",
                                   .offset = offset,
                                   .body = bytes_.substr(offset),
                                   .cut_after = end - offset});
    ASSERT_EQ(cut.status, 0);
    ASSERT_TRUE(images().empty()) << percent;
  }
  const auto offset = offset_of(*ticket);
  EXPECT_GT(offset, bytes_.size() / 2) << "what arrived of a cut part is kept";
  ASSERT_EQ(patch(*ticket, offset, bytes_.substr(offset)).status, 204);
  ASSERT_TRUE(becomes(*ticket, UploadState::published));
  EXPECT_EQ(images().at(0).sha256, core::sha256_hex(bytes_));
}

TEST_F(Uploads, GoesOnAfterTheServiceStoppedInAPart) {
  start();
  const auto ticket = begin("p/x", {.sha256 = core::sha256_hex(bytes_)});
  ASSERT_TRUE(ticket);
  ASSERT_EQ(patch(*ticket, 0, bytes_.substr(0, 4096)).status, 204);
  const auto stop = [&] { service_.reset(); };
  const auto cut = tus(
      *ticket, {.method = "PATCH", .offset = 4096, .body = bytes_.substr(4096), .on_half = stop});
  EXPECT_EQ(cut.status, 0);
  restart();
  const auto offset = offset_of(*ticket);
  EXPECT_GE(offset, 4096U) << "what was acknowledged";
  ASSERT_EQ(patch(*ticket, offset, bytes_.substr(offset)).status, 204);
  ASSERT_TRUE(becomes(*ticket, UploadState::published));
  EXPECT_EQ(images().at(0).sha256, core::sha256_hex(bytes_));
}

TEST_F(Uploads, ChecksAtTheStartWhatHadArrived) {
  start();
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  ASSERT_EQ(patch(*ticket, 0, bytes_.substr(0, 4096)).status, 204);
  service_.reset();
  std::ofstream(folder_.file("uploads") + "/" + ticket->upload_id, std::ios::binary) << bytes_;
  restart();
  EXPECT_TRUE(becomes(*ticket, UploadState::published)) << "no request is needed";
}

TEST_F(Uploads, KeepsNothingOfAPartWithAnotherChecksum) {
  start();
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  const auto first = bytes_.substr(0, 70'000);
  EXPECT_EQ(patch(*ticket, 0, first, sha256_of("other")).status, 460);
  EXPECT_EQ(offset_of(*ticket), 0U);
  EXPECT_EQ(patch(*ticket, 0, first, sha256_of(first)).status, 204);
  EXPECT_EQ(patch(*ticket, 70'000, first, "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=").status, 460);
  EXPECT_EQ(offset_of(*ticket), 70'000U);
  for (const auto* wrong : {"md5 AAAA", "sha256", "sha256 x", "sha256 AAAA"})
    EXPECT_EQ(patch(*ticket, 70'000, first, wrong).status, 400) << wrong;
  const auto cut = tus(*ticket, {.method = "PATCH",
                                 .offset = 70'000,
                                 .body = bytes_.substr(70'000),
                                 .checksum = sha256_of(bytes_.substr(70'000)),
                                 .cut_after = 500'000});
  EXPECT_EQ(cut.status, 0);
  EXPECT_EQ(offset_of(*ticket), 70'000U) << "it was not checked";
}

TEST_F(Uploads, DropsAPartThatWasNotCheckedBeforeAKill) {
  start();
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  ASSERT_EQ(patch(*ticket, 0, bytes_.substr(0, 5000)).status, 204);
  service_.reset();
  const auto file = folder_.file("uploads") + "/" + ticket->upload_id;
  std::ofstream(file, std::ios::binary | std::ios::app) << std::string(3000, '!');
  std::ofstream(file + ".mark") << "5000";
  restart();
  EXPECT_EQ(offset_of(*ticket), 5000U);
  ASSERT_EQ(patch(*ticket, 5000, bytes_.substr(5000)).status, 204);
  ASSERT_TRUE(becomes(*ticket, UploadState::published));
  EXPECT_EQ(images().at(0).sha256, core::sha256_hex(bytes_));
}

TEST_F(Uploads, RefusesWhatDoesNotFit) {
  start();
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  const auto status = [&](const TusAsk& ask) { return tus(*ticket, ask).status; };
  EXPECT_EQ(patch(*ticket, 5, "x").status, 409);
  EXPECT_THAT(patch(*ticket, 5, "x").body, HasSubstr("must be 0"));
  EXPECT_EQ(patch(*ticket, 1ULL << 60, "x").status, 409);
  EXPECT_EQ(patch(*ticket, 0, bytes_ + "x").status, 413);
  EXPECT_EQ(offset_of(*ticket), 0U);
  EXPECT_EQ(status({.method = "PATCH", .body = "x", .type = "text/plain"}), 415);
  EXPECT_EQ(status({.method = "PATCH", .body = "x", .version = "0.2.2"}), 412);
  EXPECT_EQ(status({.version = ""}), 412);
  EXPECT_EQ(status({.method = "GET"}), 405);
  EXPECT_EQ(status({.method = "PUT"}), 405);
  const auto options = tus(*ticket, {.method = "OPTIONS", .version = ""});
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.headers.at("Tus-Version"), "1.0.0");
  EXPECT_EQ(options.headers.at("Tus-Extension"), "expiration,checksum,termination");
  EXPECT_EQ(options.headers.at("Tus-Checksum-Algorithm"), "sha1,sha256");
  EXPECT_EQ(status({.method = "POST", .headers = {"X-HTTP-Method-Override: HEAD"}}), 200);
}

TEST_F(Uploads, OpensOneUploadToATicket) {
  start();
  const auto mine = begin("p/x");
  const auto other = begin("q/y");
  ASSERT_TRUE(mine && other);
  auto access = *mine;
  access.ticket = other->ticket;
  EXPECT_EQ(tus(access, {}).status, 404);
  EXPECT_EQ(patch(access, 0, "x").status, 404);
  EXPECT_EQ(tus(access, {.method = "DELETE"}).status, 404);
  access.ticket = mine->ticket.substr(1) + "0";
  EXPECT_EQ(tus(access, {}).status, 404);
  access.ticket = std::string(500, 'x');
  EXPECT_EQ(tus(access, {}).status, 401);
  access.ticket = "";
  EXPECT_EQ(tus(access, {}).status, 401);
  const auto base = mine->url.substr(0, mine->url.rfind('/'));
  for (const auto* path : {"", "/", "/..", "/../x", "/%2e%2e"}) {
    access = *mine;
    access.url = base + path;
    EXPECT_NE(tus(access, {}).status, 200) << path;
  }
  EXPECT_EQ(offset_of(*mine), 0U);
  EXPECT_EQ(tus(*mine, {.method = "DELETE"}).status, 204);
  EXPECT_EQ(tus(*mine, {}).status, 404);
  EXPECT_EQ(tus(*other, {}).status, 200);
}

TEST_F(Uploads, WritesOnePartAtATime) {
  start();
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  long during = 0;
  long head = 0;
  const auto write_too = [&] {
    EXPECT_TRUE(eventually([&] { return listed().at(0).offset_bytes > 0; }));
    during = patch(*ticket, 0, bytes_).status;
    head = tus(*ticket, {}).status;
  };
  const auto first = tus(*ticket, {.method = "PATCH", .body = bytes_, .on_half = write_too});
  EXPECT_EQ(first.status, 204) << first.body;
  EXPECT_EQ(during, 423);
  EXPECT_EQ(head, 423);
  ASSERT_TRUE(becomes(*ticket, UploadState::published));
  EXPECT_EQ(images().at(0).sha256, core::sha256_hex(bytes_));
}

TEST_F(Uploads, GoesOnWithANewTicketForTheSameFile) {
  start();
  const msg::BeginUpload same{.sha256 = core::sha256_hex(bytes_)};
  const auto first = begin("p/x", same);
  ASSERT_TRUE(first);
  ASSERT_EQ(patch(*first, 0, bytes_.substr(0, 9000)).status, 204);
  const auto again = begin("p/x", same);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->upload_id, first->upload_id);
  EXPECT_EQ(again->offset_bytes, 9000U);
  EXPECT_NE(again->ticket, first->ticket);
  EXPECT_EQ(tus(*first, {}).status, 404) << "one ticket an upload";
  EXPECT_EQ(tus(*again, {}).offset(), 9000U);
  const auto different = begin("p/x", {.sha256 = std::string(64, '0')});
  ASSERT_TRUE(different);
  EXPECT_NE(different->upload_id, first->upload_id);
  EXPECT_NE(begin("p/x")->upload_id, first->upload_id) << "without a digest it is another file";
}

TEST_F(Uploads, ListsAFailedUploadWithItsReason) {
  start();
  const auto wrong = begin("p/x", {.sha256 = std::string(64, '0')});
  const auto not_iso = begin("p/iso", {.format = msg::ImageFormat::iso});
  ASSERT_TRUE(wrong && not_iso);
  for (const auto* ticket : {&*wrong, &*not_iso}) {
    ASSERT_EQ(patch(*ticket, 0, bytes_).status, 204);
    ASSERT_TRUE(becomes(*ticket, UploadState::failed));
    EXPECT_EQ(tus(*ticket, {}).status, 410);
    EXPECT_EQ(patch(*ticket, 0, bytes_).status, 410);
  }
  for (const auto& upload : listed())
    EXPECT_EQ(upload.reason, upload.image_id.value == "p/x" ? "sha256 does not match the file"
                                                            : "the file is not an ISO 9660 image");
  EXPECT_TRUE(images().empty());
  EXPECT_TRUE(eventually([&] { return fs::is_empty(folder_.file("uploads")); }));
  EXPECT_TRUE(begin("p/x")) << "the name is free";
}

TEST_F(Uploads, ForgetsWhatHasExpired) {
  start({{"image_store.upload_keep_s", "1"}});
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  EXPECT_TRUE(eventually([&] { return tus(*ticket, {}).status == 410; }));
  EXPECT_EQ(patch(*ticket, 0, "x").status, 410);
}

TEST_F(Uploads, PublishesOneOfTwoUploadsOfAName) {
  start();
  const auto first = begin("p/x");
  const auto second = begin("p/x");
  ASSERT_TRUE(first && second);
  ASSERT_NE(first->upload_id, second->upload_id);
  ASSERT_EQ(patch(*first, 0, bytes_).status, 204);
  ASSERT_TRUE(becomes(*first, UploadState::published));
  ASSERT_EQ(patch(*second, 0, std::string(bytes_.size(), 'x')).status, 204);
  ASSERT_TRUE(becomes(*second, UploadState::failed));
  ASSERT_EQ(images().size(), 1U);
  EXPECT_EQ(images().at(0).sha256, core::sha256_hex(bytes_));
}

TEST_F(Uploads, KeepsAProjectWithinItsQuota) {
  start({{"image_store.project_bytes_max", std::to_string(3 << 20)}});
  std::vector<std::future<core::Result<msg::UploadTicket>>> asked;
  std::vector<std::unique_ptr<Process>> callers;
  for (int i = 0; i < 8; ++i)
    callers.push_back(std::make_unique<Process>(deployment_, "caller" + std::to_string(i)));
  for (std::size_t i = 0; i < callers.size(); ++i)
    asked.push_back(std::async(std::launch::async, [&, i] {
      return callers[i]->call(msg::BeginUpload{.image_id = {"p/x" + std::to_string(i)},
                                               .format = msg::ImageFormat::raw,
                                               .size_bytes = bytes_.size()},
                              {.deadline = wait_timeout});
    }));
  std::vector<msg::UploadTicket> tickets;
  for (auto& one : asked)
    if (auto ticket = one.get())
      tickets.push_back(*ticket);
    else
      EXPECT_EQ(ticket.error().field, "size_bytes") << ticket.error().detail;
  ASSERT_EQ(tickets.size(), 3U);
  EXPECT_EQ(begin("p/more").error().detail,
            "the images of project p may have 3145728 bytes: 3145728 are used, 1048576 asked");
  EXPECT_TRUE(begin("q/x")) << "each project has its own";
  EXPECT_TRUE(begin("public/x"));
  ASSERT_EQ(patch(tickets[0], 0, bytes_).status, 204);
  ASSERT_TRUE(becomes(tickets[0], UploadState::published));
  EXPECT_FALSE(begin("p/more")) << "an image counts as its upload did";
  ASSERT_TRUE(
      ask(msg::RemoveUpload{.viewer = {.projects = {{"p"}}}, .upload_id = tickets[1].upload_id}));
  EXPECT_TRUE(begin("p/more"));
}

TEST_F(Uploads, ShowsAnUploadToItsProjectAlone) {
  start();
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  const msg::Viewer stranger{.projects = {{"q"}}};
  EXPECT_TRUE(listed(stranger).empty());
  EXPECT_EQ(ask(msg::RemoveUpload{.viewer = stranger, .upload_id = ticket->upload_id}).error().code,
            ErrorCode::not_found);
  EXPECT_EQ(listed({.is_operator = true}).size(), 1U);
  ASSERT_EQ(listed().size(), 1U);
  EXPECT_EQ(msg::encode(listed()[0]).find(ticket->ticket), std::string::npos);
  ASSERT_TRUE(registry_.emit(msg::ProjectRemoved{{"p"}}));
  EXPECT_TRUE(eventually([&] { return tus(*ticket, {}).status == 404; }));
}

TEST_F(Uploads, CollectsFilesWithoutAnUploadAtTheStart) {
  start();
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  ASSERT_EQ(patch(*ticket, 0, "abc").status, 204);
  const auto folder = folder_.file("uploads") + "/";
  for (const auto& name : {std::string(32, 'a'), std::string(32, 'b') + ".mark",
                           "." + std::string(32, 'c') + ".mark.new"})
    std::ofstream(folder + name) << "1";
  restart();
  EXPECT_TRUE(eventually([&] {
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1;
  }));
  EXPECT_EQ(offset_of(*ticket), 3U);
}

TEST_F(Uploads, RefusesAnUploadThatIsNotWellDescribed) {
  start({{"image_store.upload_bytes_max", std::to_string(2 << 20)}});
  EXPECT_EQ(begin("p/x", {.size_bytes = (2 << 20) + 1}).error().field, "size_bytes");
  EXPECT_EQ(begin("p/x", {.sha256 = "abc"}).error().field, "sha256");
  EXPECT_EQ(begin("p/x", {.md5 = "abc"}).error().field, "md5");
  const auto ticket = begin("p/x");
  EXPECT_EQ(ask(msg::FinishUpload{.upload_id = ticket->upload_id}).error().code,
            ErrorCode::wrong_state);
}

TEST_F(Uploads, AnswersPagesOfTheAllowedOriginAlone) {
  start({{"image_store.uploads_allow_origins", "https://nucleus.example"}});
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  const auto allowed_by = [&](TusAsk ask, const std::string& origin) {
    ask.headers.push_back("Origin: " + origin);
    const auto headers = tus(*ticket, ask).headers;
    const auto found = headers.find("Access-Control-Allow-Origin");
    return found == headers.end() ? std::string() : found->second;
  };
  const TusAsk head;
  const TusAsk preflight{
      .method = "OPTIONS", .headers = {"Access-Control-Request-Method: PATCH"}, .version = ""};
  const TusAsk part{.method = "PATCH", .body = "x"};
  const TusAsk wrong_offset{.method = "PATCH", .offset = 7, .body = "x"};
  const TusAsk wrong_type{.method = "PATCH", .body = "x", .type = "text/plain"};
  for (const auto& ask : {head, preflight, part, wrong_offset, wrong_type}) {
    EXPECT_EQ(allowed_by(ask, "https://nucleus.example"), "https://nucleus.example") << ask.method;
    EXPECT_EQ(allowed_by(ask, "https://evil.example"), "") << ask.method;
    EXPECT_EQ(allowed_by(ask, "null"), "") << ask.method;
  }
}

TEST_F(Uploads, AnswersNoPagesUnlessAnOriginIsSet) {
  start();
  const auto ticket = begin("p/x");
  ASSERT_TRUE(ticket);
  const auto answer = tus(*ticket, {.headers = {"Origin: https://nucleus.example"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.headers.contains("Access-Control-Allow-Origin"));
}

}  // namespace
}  // namespace nucleus::tests
