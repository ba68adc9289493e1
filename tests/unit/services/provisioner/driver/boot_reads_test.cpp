// What is recorded of a node's reads until it is ready.
#include "services/provisioner/driver/boot_reads.hpp"

#include <gmock/gmock.h>

namespace nucleus::provisioner {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class BootReadsTest : public testing::Test {
 protected:
  void read(std::uint64_t first, std::uint64_t last, const std::string& ticket = "t") {
    boots_.note("x", ticket, first, last, now_);
  }

  BootReads::Clock::time_point now_{seconds{1000}};
  BootReads boots_ = {};
};

TEST_F(BootReadsTest, AreTheChunksInOrderUntilTheNodeIsReady) {
  boots_.begin({"n"}, "x", "t");
  EXPECT_THAT(boots_.booting(), IsEmpty()) << "it has read nothing";
  read(7, 8);
  read(0, 0);
  read(8, 9);
  EXPECT_THAT(boots_.booting(), ElementsAre(msg::NodeId{"n"}));
  EXPECT_THAT(boots_.take_finished(now_), IsEmpty());
  boots_.set_ready({"n"});
  read(20, 20);
  const auto finished = boots_.take_finished(now_);
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_EQ(finished.front().content_id, "x");
  EXPECT_THAT(finished.front().set.indexes, ElementsAre(7, 8, 0, 9));
  EXPECT_FALSE(msg::check(finished.front().set, 10 << 20));
  EXPECT_THAT(boots_.take_finished(now_), IsEmpty()) << "once";
}

TEST_F(BootReadsTest, EndAfterAWhileWithoutAnAgent) {
  boots_.begin({"n"}, "x", "t");
  now_ += seconds{500};
  EXPECT_THAT(boots_.take_finished(now_), IsEmpty()) << "it has read nothing yet";
  read(3, 3);
  now_ += BootReads::longest - seconds{1};
  EXPECT_THAT(boots_.take_finished(now_), IsEmpty());
  now_ += seconds{1};
  EXPECT_EQ(boots_.take_finished(now_).size(), 1U);
}

TEST_F(BootReadsTest, AreOfNodesThatStartWithANewDiskAlone) {
  read(1, 1);
  boots_.begin({"n"}, "x", "t");
  read(2, 2, "another");
  boots_.note("y", "t", 3, 3, now_);
  boots_.set_ready({"n"});
  EXPECT_THAT(boots_.take_finished(now_), IsEmpty());
  boots_.begin({"n"}, "x", "t");
  boots_.begin({"m"}, "x", "u");
  read(4, 4);
  boots_.keep_only({{"m"}});
  boots_.set_ready({"n"});
  EXPECT_THAT(boots_.take_finished(now_), IsEmpty()) << "its domain is gone";
}

TEST_F(BootReadsTest, AreNotRecordedAgain) {
  boots_.begin({"n"}, "x", "t");
  read(1, 1);
  boots_.set_recorded("x");
  EXPECT_THAT(boots_.booting(), IsEmpty());
  boots_.begin({"m"}, "x", "u");
  read(1, 1, "u");
  EXPECT_THAT(boots_.booting(), IsEmpty());
}

TEST_F(BootReadsTest, AreBounded) {
  boots_.begin({"n"}, "x", "t");
  read(0, 2 * msg::working_set_max);
  boots_.set_ready({"n"});
  EXPECT_EQ(boots_.take_finished(now_).front().set.indexes.size(), msg::working_set_max);
}

}  // namespace
}  // namespace nucleus::provisioner
