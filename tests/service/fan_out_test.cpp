// Chunks of images between the image store and hosts, over real HTTPS: what is fetched from where,
// and what happens when one of them is away, slow, or lies.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "core/chunks/chunk.hpp"
#include "tests/service/fan_out_room.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FanOut : public FanOutRoom {
 protected:
  /// Joins the fan-out of x as a host whose server is `server`.
  void join_as(const core::http::Server& server, const Authority& authority) {
    std::ifstream file(authority.ca_file(), std::ios::binary);
    const msg::JoinFanOut request{
        .endpoint = server.endpoint().text(),
        .authority = std::string(std::istreambuf_iterator<char>(file), {}),
        .key = std::string(64, 'a'),
        .joined_unix_s = 1};  // above all others
    provisioner::StoreReader reader(authority_.ca_file(), "secret");
    const auto joined =
        reader.post("https://" + listen_.text() + "/base/x/disk/hosts", msg::encode(request));
    ASSERT_TRUE(joined) << joined.error().detail;
  }
  std::unique_ptr<core::http::Server> a_stranger(const Authority& authority,
                                                 core::http::Server::Handler handler) {
    auto server = std::make_unique<core::http::Server>(
        core::http::ServerOptions{.listen = {.certificate = authority.certificate()}},
        std::move(handler));
    server->start();
    join_as(*server, authority);
    return server;
  }
};

TEST_F(FanOut, ReadsAContentOnceAndFindsItAfterARestart) {
  const auto content = make_content("x", 7 * mebibyte + 500);
  const auto host = a_host("h", false);
  EXPECT_EQ(read_all(*host, "x"), content);
  EXPECT_EQ(chunks_sent(), 6) << "the third and sixth MiB are zero";
  EXPECT_EQ(host->fetcher().read("x", mebibyte - 5, 10), content.substr(mebibyte - 5, 10));
  EXPECT_EQ(host->fetcher().read("x", 7 * mebibyte, 500), content.substr(7 * mebibyte));
  EXPECT_FALSE(host->fetcher().read("x", 7 * mebibyte, 501));
  open(*host);
  EXPECT_EQ(read_all(*host, "x"), content);
  EXPECT_EQ(chunks_sent(), 6);
  EXPECT_EQ(host->metrics().found.Value(), 6);
}

TEST_F(FanOut, FetchesWhatTwoImagesShareOnce) {
  auto content = make_content("x", 6 * mebibyte);
  content[mebibyte + 17] ^= 1;
  put_content("y", content);
  const auto host = a_host("h", false);
  (void)read_all(*host, "x");
  EXPECT_EQ(chunks_sent(), 4);
  EXPECT_EQ(read_all(*host, "y"), content);
  EXPECT_EQ(chunks_sent(), 5);
}

TEST_F(FanOut, FetchesAChunkOnceHoweverManyReadersNeedIt) {
  const auto content = make_content("x", 2 * mebibyte);
  const auto host = a_host("h", false);
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 16; ++i)
      readers.emplace_back([&] { right += read_all(*host, "x") == content; });
  }
  EXPECT_EQ(right, 16);
  EXPECT_EQ(chunks_sent(), 2);
}

TEST_F(FanOut, LetsTheStoreSendAnImageAboutOnceToManyHosts) {
  const auto content = make_content("x", 48 * mebibyte);
  std::vector<std::unique_ptr<Host>> hosts;
  for (int i = 0; i < 5; ++i) {
    hosts.push_back(a_host("h" + std::to_string(i)));
    ASSERT_TRUE(hosts.back()->fetcher().size_bytes("x")) << "it joins";
  }
  std::atomic<std::size_t> right = 0;
  {
    std::vector<std::jthread> readers;
    for (const auto& host : hosts)
      readers.emplace_back([&] { right += read_all(*host, "x") == content; });
  }
  EXPECT_EQ(right, hosts.size());
  double from_hosts = 0;
  double from_store = 0;
  for (const auto& host : hosts) {
    from_hosts += host->metrics().peer_chunks.Value();
    from_store += host->metrics().store_chunks.Value();
    EXPECT_EQ(host->metrics().peers_wrong.Value() + host->metrics().peers_unavailable.Value() +
                  host->metrics().peers_refusing.Value(),
              0)
        << "nobody waits in vain";
  }
  EXPECT_EQ(from_hosts + from_store, 5 * 32) << "each host fetched each chunk once";
  EXPECT_EQ(from_store, chunks_sent());
  EXPECT_LE(chunks_sent(), 3 * 32);
}

TEST_F(FanOut, ReadsOnFromTheStoreWhenAHostIsAway) {
  const auto content = make_content("x", 32 * mebibyte);
  const Authority authority;
  a_stranger(authority, [](const auto&, const auto&, const auto&) {}).reset();
  const auto host = a_host("h");
  EXPECT_EQ(read_all(*host, "x"), content);
  EXPECT_GE(host->metrics().peers_unavailable.Value(), 1);
  EXPECT_LE(host->metrics().peers_unavailable.Value(), 3) << "it is left alone for a while";
}

TEST_F(FanOut, TakesNothingFromAHostThatLies) {
  const auto content = make_content("x", 32 * mebibyte);
  const Authority authority;
  for (const auto& lie :
       {*core::pack_chunk(std::string(mebibyte, 'l')), std::string(), std::string(5 << 20, 'x')}) {
    const auto liar = a_stranger(
        authority, [&](const auto&, const auto&, const auto& respond) { respond({.body = lie}); });
    const auto host = a_host("h" + std::to_string(lie.size()));
    EXPECT_EQ(read_all(*host, "x"), content);
    EXPECT_GE(host->metrics().peers_wrong.Value() + host->metrics().peers_unavailable.Value(), 1);
    EXPECT_LE(host->metrics().peers_wrong.Value(), 1) << "one lie is enough";
    EXPECT_EQ(host->metrics().peer_chunks.Value(), 0);
  }
}

TEST_F(FanOut, LeavesAHostThatSendsNothing) {
  const auto content = make_content("x", 2 * mebibyte);
  const Authority authority;
  const auto silent = a_stranger(authority, [](const auto&, const auto&, const auto&) {});
  const auto host = a_host("h", true);
  EXPECT_EQ(read_all(*host, "x"), content);
  EXPECT_GE(host->metrics().peers_unavailable.Value(), 1);
}

TEST_F(FanOut, DoesNotTalkToAHostOfAnotherCertificate) {
  const auto content = make_content("x", 2 * mebibyte);
  const Authority told;
  const Authority shown;
  core::http::Server server(
      core::http::ServerOptions{.listen = {.certificate = shown.certificate()}},
      [](const auto&, const auto&, const auto&) { ADD_FAILURE() << "it was asked"; });
  server.start();
  join_as(server, told);
  const auto host = a_host("h");
  EXPECT_EQ(read_all(*host, "x"), content);
  EXPECT_GE(host->metrics().peers_unavailable.Value(), 1);
}

TEST_F(FanOut, ReadsOnWhenTheStoreIsRestartedInTheMiddle) {
  const auto content = make_content("x", 8 * mebibyte);
  const auto host = a_host("h");
  const auto other = a_host("other");
  EXPECT_EQ(host->fetcher().read("x", 0, 4 * mebibyte), content.substr(0, 4 * mebibyte));
  ASSERT_TRUE(other->fetcher().size_bytes("x"));
  stop_store();
  EXPECT_EQ(host->fetcher().read("x", 0, 4 * mebibyte), content.substr(0, 4 * mebibyte));
  const auto refused = host->fetcher().read("x", 0, 8 * mebibyte);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::unavailable);
  const bool is_read = other->fetcher().read("x", 0, mebibyte).has_value();
  EXPECT_EQ(is_read, other->metrics().peer_chunks.Value() > 0)
      << "what another host has is read without the store";
  start_store();
  EXPECT_EQ(read_all(*host, "x"), content);
  EXPECT_EQ(read_all(*other, "x"), content);
}

TEST_F(FanOut, GivesChunksOnlyForATicketOfTheirContent) {
  const auto content = make_content("x", 2 * mebibyte);
  const auto host = a_host("h");
  (void)read_all(*host, "x");
  std::ifstream file(host->config.state_directory + "/chunk-tls/ca.pem", std::ios::binary);
  const std::string authority(std::istreambuf_iterator<char>(file), {});
  const auto url = "https://" + host->config.chunk_endpoint->text() + "/base/";
  const auto key = core::sha256_hex(host->config.state_directory);
  const auto digest = core::sha256(std::string_view(content).substr(0, mebibyte));
  const auto status = [&](const std::string& ticket, const std::string& path) {
    provisioner::StoreReader reader(provisioner::ReaderOptions{.authority = authority}, ticket);
    const auto got = reader.get(url + path);
    if (!got) return std::string(msg::name_of(got.error().code));
    const auto plain = core::unpack_chunk(*got, mebibyte, digest);
    return std::string(plain && *plain == content.substr(0, mebibyte) ? "right" : "wrong");
  };
  const auto end = 4'000'000'000;
  const auto ticket = core::make_chunk_ticket(key, "x", end);
  const auto path = "x/disk/chunks/0/" + core::to_hex(digest);
  EXPECT_EQ(status(ticket, path), "right");
  for (const auto& wrong :
       {std::string("secret"), core::make_chunk_ticket(key, "y", end),
        core::make_chunk_ticket("k", "x", end), core::make_chunk_ticket(key, "x", 1'000'000'000)})
    EXPECT_EQ(status(wrong, path), "not_found") << wrong;
  for (const auto& other :
       {"x/disk/chunks/1/" + core::to_hex(digest), std::string("x/disk"),
        "x/disk/chunks/0/" + std::string(64, '0'), "x/disk/chunks/9/" + core::to_hex(digest),
        std::string("x/disk/chunks?page=0"), path + "?x=1",
        "x/kernel/chunks/0/" + core::to_hex(digest)})
    EXPECT_EQ(status(ticket, other), "not_found") << other;
  EXPECT_EQ(
      status(core::make_chunk_ticket(key, "z", end), "z/disk/chunks/0/" + core::to_hex(digest)),
      "not_found")
      << "no volume here has it";
}

TEST_F(FanOut, FetchesADamagedOrMissingChunkAgain) {
  const auto content = make_content("x", 2 * mebibyte);
  const auto host = a_host("h", false);
  (void)read_all(*host, "x");
  host->chunks.reset();
  int damaged = 0;
  for (const auto& file : fs::directory_iterator(host->cache())) {
    if (damaged++ == 0)
      fs::resize_file(file.path(), 1000);
    else
      fs::remove(file.path());
  }
  EXPECT_EQ(damaged, 2);
  std::ofstream(host->cache() + "/." + std::string(64, 'a') + ".new") << "half a chunk";
  open(*host);
  EXPECT_EQ(read_all(*host, "x"), content);
  EXPECT_EQ(host->metrics().damaged.Value(), 1);
  EXPECT_EQ(chunks_sent(), 4);
  EXPECT_EQ(std::distance(fs::directory_iterator(host->cache()), {}), 2) << "nothing unfinished";
}

TEST_F(FanOut, KeepsTheChunksUsedLastWithinItsLimit) {
  const auto content = make_content("x", 30 * mebibyte);
  auto host = a_host("h", false);
  host->config.chunk_cache_mb = 5;
  open(*host);
  EXPECT_EQ(read_all(*host, "x"), content) << "what was evicted is above";
  EXPECT_LE(host->metrics().cache_bytes.Value(), 5 * mebibyte);
  std::uint64_t bytes = 0;
  for (const auto& file : fs::directory_iterator(host->cache())) bytes += file.file_size();
  EXPECT_EQ(static_cast<double>(bytes), host->metrics().cache_bytes.Value());
  EXPECT_GE(bytes, 3 * mebibyte);
  const auto sent = chunks_sent();
  open(*host);
  EXPECT_TRUE(host->fetcher().read("x", 27 * mebibyte, 2 * mebibyte));
  EXPECT_EQ(chunks_sent(), sent) << "the last ones are here";
  EXPECT_TRUE(host->fetcher().read("x", 0, mebibyte));
  EXPECT_EQ(chunks_sent(), sent + 1);
}

TEST_F(FanOut, MakesTheListOnceAndAgainIfItIsDamaged) {
  make_content("x", 3 * mebibyte + 1);
  image_store::ChunkLists lists;
  const auto path = folder_.file("x");
  ASSERT_TRUE(image_store::make_chunk_list(path));
  const auto kept = path + ".chunks.0";
  const auto made = fs::last_write_time(kept);
  const auto page = lists.page(path, 0);
  ASSERT_TRUE(page);
  EXPECT_EQ(fs::last_write_time(kept), made) << "once";
  std::ofstream(folder_.file(".x.chunks.0.new")) << "cut off";
  for (const auto size : {0, 10}) {
    fs::resize_file(kept, static_cast<std::uintmax_t>(size));
    EXPECT_EQ(lists.page(path, 0), page);
    EXPECT_EQ(fs::file_size(kept), page->size());
  }
  const auto list = msg::decode<msg::ChunkPage>(*page);
  EXPECT_FALSE(msg::check(list, 0));
  EXPECT_EQ(list.digests.substr(64, 32), std::string(32, '\0')) << "the third MiB is zero";
  EXPECT_EQ(lists.page(path, 1).error().code, core::ErrorCode::not_found);
  const auto wrong = image_store::ChunkLists::chunk(path, 0, core::sha256("x"));
  EXPECT_EQ(wrong.error().code, core::ErrorCode::not_found);
}

}  // namespace
}  // namespace nucleus::tests
