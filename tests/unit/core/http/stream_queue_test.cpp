// The queue of an open response: its order, its limit, its end.
#include "core/http/stream_queue.hpp"

#include <gtest/gtest.h>

namespace nucleus::core::http {
namespace {

using Put = StreamQueue::Put;

TEST(StreamQueue, WakesTheWriterForTheFirstTextOnly) {
  StreamQueue queue(100);
  EXPECT_EQ(queue.put("early"), Put::closed);
  queue.open();
  EXPECT_EQ(queue.put("a"), Put::wake_writer);
  EXPECT_EQ(queue.put("bc"), Put::queued);
  EXPECT_EQ(queue.queued_bytes(), 3U);
  EXPECT_EQ(queue.first(), "a");
  EXPECT_EQ(queue.joined(), "abc");
  EXPECT_TRUE(queue.pop(1));
  EXPECT_FALSE(queue.pop(2));
  EXPECT_EQ(queue.put("d"), Put::wake_writer);
}

TEST(StreamQueue, ClosesWhenMoreThanItsLimitIsQueued) {
  StreamQueue queue(4);
  queue.open();
  EXPECT_EQ(queue.put("1234"), Put::wake_writer);
  EXPECT_EQ(queue.put("5"), Put::overflow);
  EXPECT_FALSE(queue.is_open());
  EXPECT_EQ(queue.put("6"), Put::closed);
  EXPECT_EQ(queue.joined(), "");
  EXPECT_EQ(queue.first(), "");
}

}  // namespace
}  // namespace nucleus::core::http
