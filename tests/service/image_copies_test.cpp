// Images that are copied to hosts while nodes run from them, over real HTTPS: what is copied in
// which order, and how it goes on after failures of each party.
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/service/fan_out_room.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ImageCopies : public FanOutRoom {
 protected:
  std::unique_ptr<Host> a_host_at(std::int64_t rate_mb_s, const std::string& name = "h") {
    auto host = a_host(name, false);
    host->config.copy_rate_mb_s = rate_mb_s;
    open(*host);
    return host;
  }
  /// A node runs from each of these contents.
  static void run(const Host& host, const std::vector<std::string>& contents = {"x"}) {
    provisioner::ImageCopier::Running running;
    for (const auto& content : contents) running[content] = {{"node-" + content}};
    host.chunks->copier().set_running(running);
  }
  static std::vector<msg::ImageCopy> copies(const Host& host) {
    return host.chunks->copier().copies();
  }
  static std::ptrdiff_t chunks_on(const Host& host) {
    return std::distance(fs::directory_iterator(host.cache()), {});
  }
  static bool completes(const Host& host, std::ptrdiff_t chunks) {
    return eventually([&] { return chunks_on(host) == chunks && copies(host).empty(); });
  }
  std::string url_of_set() const {
    return "https://" + listen_.text() + "/base/x/disk/working-set";
  }
};

TEST_F(ImageCopies, BringTheRestWhileTheNodeRuns) {
  const auto content = make_content("x", 8 * mebibyte);
  const auto host = a_host_at(1000);
  EXPECT_TRUE(host->fetcher().read("x", 3 * mebibyte, 1));
  EXPECT_THAT(copies(*host), IsEmpty()) << "no node runs";
  run(*host);
  ASSERT_TRUE(completes(*host, 6));
  EXPECT_EQ(chunks_sent(), 6) << "each once, and none of the zeros";
  EXPECT_EQ(host->metrics().copied_bytes.Value(), 5 * mebibyte) << "the node had read one";
  EXPECT_TRUE(eventually([&] { return host->metrics().images_incomplete.Value() == 0; }));
  stop_store();
  EXPECT_EQ(read_all(*host, "x"), content);
}

TEST_F(ImageCopies, HaveProgressAndARate) {
  make_content("x", 12 * mebibyte);
  const auto host = a_host_at(2);
  run(*host);
  ASSERT_TRUE(eventually([&] { return !copies(*host).empty(); }));
  std::uint64_t seen = 0;
  ASSERT_TRUE(eventually([&] {
    const auto now = copies(*host);
    if (now.empty() || now.front().copied_bytes < 2 * mebibyte) return false;
    EXPECT_EQ(now.front().node_id, msg::NodeId{"node-x"});
    EXPECT_EQ(now.front().total_bytes, 8 * mebibyte);
    EXPECT_GE(now.front().copied_bytes, seen);
    EXPECT_GT(now.front().bytes_per_s, 0U);
    EXPECT_EQ(now.front().reason, "");
    return true;
  }));
}

TEST_F(ImageCopies, AreNotMadeAtARateOfZero) {
  make_content("x", 3 * mebibyte);
  const auto host = a_host_at(0);
  run(*host);
  ASSERT_TRUE(eventually([&] { return !copies(*host).empty(); }));
  EXPECT_EQ(copies(*host).front().reason, "provisioner.copy_rate_mb_s is 0");
  EXPECT_TRUE(host->fetcher().read("x", 0, 1));
  EXPECT_TRUE(eventually([&] { return copies(*host).front().copied_bytes == mebibyte; }))
      << "what nodes read counts";
  EXPECT_EQ(chunks_sent(), 1);
}

TEST_F(ImageCopies, GoOnWhereAnEarlierProcessWas) {
  const auto content = make_content("x", 30 * mebibyte);
  const auto host = a_host_at(40);
  for (const std::ptrdiff_t reached : {3, 8}) {
    run(*host);
    ASSERT_TRUE(eventually([&] { return chunks_on(*host) >= reached; }));
    open(*host);
  }
  run(*host);
  ASSERT_TRUE(completes(*host, 20));
  EXPECT_EQ(chunks_sent(), 20) << "nothing is fetched twice";
  open(*host);
  run(*host);
  stop_store();
  EXPECT_EQ(read_all(*host, "x"), content) << "the list of its chunks is here as well";
}

TEST_F(ImageCopies, WaitForTheImageStore) {
  const auto content = make_content("x", 30 * mebibyte);
  const auto host = a_host_at(20);
  run(*host);
  ASSERT_TRUE(eventually([&] { return chunks_on(*host) >= 2; }));
  stop_store();
  EXPECT_TRUE(eventually([&] {
    const auto now = copies(*host);
    return !now.empty() && now.front().reason.find("does not answer") != std::string::npos;
  }));
  start_store();
  ASSERT_TRUE(completes(*host, 20));
  EXPECT_EQ(read_all(*host, "x"), content);
}

TEST_F(ImageCopies, BringADamagedChunkAgain) {
  const auto content = make_content("x", 3 * mebibyte);
  const auto host = a_host_at(1000);
  run(*host);
  ASSERT_TRUE(completes(*host, 2));
  open(*host);  // nothing is in memory
  fs::resize_file(fs::directory_iterator(host->cache())->path(), 1000);
  run(*host);
  EXPECT_EQ(read_all(*host, "x"), content);
  EXPECT_EQ(host->metrics().damaged.Value(), 1);
  EXPECT_TRUE(completes(*host, 2));
  EXPECT_EQ(chunks_sent(), 3);
}

TEST_F(ImageCopies, EndWhenTheCacheIsFullOfWhatIsNeeded) {
  const auto content = make_content("x", 30 * mebibyte);
  auto host = a_host_at(1000);
  host->config.chunk_cache_mb = 5;
  open(*host);
  run(*host);
  ASSERT_TRUE(
      eventually([&] { return !copies(*host).empty() && !copies(*host)[0].reason.empty(); }));
  EXPECT_THAT(copies(*host).front().reason, HasSubstr("provisioner.chunk_cache_mb"));
  EXPECT_EQ(chunks_sent(), 4) << "a fifth might not fit";
  EXPECT_EQ(read_all(*host, "x"), content);
  EXPECT_EQ(host->metrics().copied_bytes.Value(), 4 * mebibyte) << "it does not fetch them again";
  EXPECT_LE(host->metrics().cache_bytes.Value(), 5 * mebibyte);
}

TEST_F(ImageCopies, TakeThePlaceOfWhatNoNodeNeeds) {
  const auto content = make_content("x", 12 * mebibyte);
  make_content("y", 6 * mebibyte, 2);
  auto host = a_host_at(1000);
  host->config.chunk_cache_mb = 10;
  open(*host);
  EXPECT_EQ(read_all(*host, "x").size(), 12 * mebibyte);
  (void)read_all(*host, "y");
  EXPECT_EQ(chunks_on(*host), 9) << "the oldest were deleted";
  run(*host);
  ASSERT_TRUE(eventually([&] { return host->metrics().copied_bytes.Value() == 3 * mebibyte; }));
  EXPECT_TRUE(eventually([&] { return copies(*host).empty(); }));
  (void)read_all(*host, "y");
  stop_store();
  EXPECT_EQ(read_all(*host, "x"), content) << "what no node runs from is deleted first";
}

TEST_F(ImageCopies, BeginWithWhatTheFirstNodeReadAtItsStart) {
  make_content("x", 12 * mebibyte);
  const auto first = a_host_at(1000, "first");
  const auto now = provisioner::BootReads::Clock::now();
  auto& boots = first->chunks->boots();
  boots.begin({"node-x"}, "x", "secret");
  for (const std::uint64_t index : {9, 4, 2}) boots.note("x", "secret", index, index, now);
  run(*first);
  ASSERT_TRUE(completes(*first, 8));
  EXPECT_THAT(asked(), ElementsAre(0, 1, 3, 4, 6, 7, 9, 10)) << "nothing is recorded yet";
  boots.set_ready({"node-x"});
  provisioner::StoreReader reader(authority_.ca_file(), "secret");
  ASSERT_TRUE(eventually([&] { return reader.get(url_of_set()).has_value(); }));

  asked_.clear();
  const auto other = a_host_at(1000, "other");
  auto& other_boots = other->chunks->boots();
  other_boots.begin({"node-x"}, "x", "secret");
  other_boots.note("x", "secret", 10, 10, now);
  other_boots.set_ready({"node-x"});
  run(*other);
  ASSERT_TRUE(completes(*other, 8));
  EXPECT_THAT(asked(), ElementsAre(9, 4, 0, 1, 3, 6, 7, 10));
  const auto set = msg::decode<msg::WorkingSet>(*reader.get(url_of_set()));
  EXPECT_THAT(set.indexes, ElementsAre(9, 4, 2)) << "once";
}

TEST_F(ImageCopies, OfSeveralImagesTakeTurns) {
  make_content("x", 9 * mebibyte);
  make_content("y", 9 * mebibyte, 2);
  const auto host = a_host_at(1000);
  run(*host, {"x", "y"});
  ASSERT_TRUE(completes(*host, 12));
  EXPECT_EQ(chunks_sent(), 12);
  run(*host, {});
  EXPECT_THAT(copies(*host), IsEmpty());
}

class WorkingSets : public ImageCopies {
 protected:
  WorkingSets() { make_content("x", 3 * mebibyte); }
  static std::string encoded(const std::vector<std::uint32_t>& indexes) {
    return msg::encode(msg::WorkingSet{.version = msg::chunk_list_version, .indexes = indexes});
  }

  provisioner::StoreReader reader_{authority_.ca_file(), "secret"};
};

TEST_F(WorkingSets, AreRecordedOnceAndOnlyIfTheyAreRight) {
  EXPECT_EQ(reader_.get(url_of_set()).error().code, core::ErrorCode::not_found);
  for (const auto& wrong :
       {std::string("{"), encoded({}), encoded({3}), encoded({1, 1}), std::string(200'000, 'x')})
    EXPECT_FALSE(reader_.put(url_of_set(), wrong));
  EXPECT_EQ(reader_.get(url_of_set()).error().code, core::ErrorCode::not_found);
  const auto kept = reader_.put(url_of_set(), encoded({2, 0}));
  EXPECT_TRUE(kept) << kept.error().detail;
  EXPECT_TRUE(reader_.put(url_of_set(), encoded({1})));
  EXPECT_EQ(reader_.get(url_of_set()), encoded({2, 0})) << "the first stays";
  provisioner::StoreReader stranger(authority_.ca_file(), "stolen");
  EXPECT_FALSE(stranger.get(url_of_set()));
  EXPECT_FALSE(stranger.put(url_of_set(), encoded({1})));
  EXPECT_FALSE(reader_.post(url_of_set(), encoded({1})));
}

TEST_F(WorkingSets, AreRecordedAgainIfTheirFileIsDamaged) {
  ASSERT_TRUE(reader_.put(url_of_set(), encoded({2, 0})));
  fs::resize_file(folder_.file("x.working-set"), 5);
  EXPECT_EQ(reader_.get(url_of_set()).error().code, core::ErrorCode::not_found);
  ASSERT_TRUE(reader_.put(url_of_set(), encoded({1})));
  EXPECT_EQ(reader_.get(url_of_set()), encoded({1}));
}

}  // namespace
}  // namespace nucleus::tests
