// What a viewer who only watches a VNC console may send, as bytes of RFB.
#include "services/console/driver/rfb_filter.hpp"

#include <gtest/gtest.h>

namespace nucleus::console {
namespace {

using std::string_literals::operator""s;

namespace rfb {

const std::string handshake = "RFB 003.008\n\x01\x01"s;
const std::string request = "\x03\x01\x00\x00\x00\x00\x04\x00\x03\x00"s;
const std::string format = "\x00\x00\x00\x00"s + std::string(16, 'f');
const std::string encodings = "\x02\x00\x00\x02\x00\x00\x00\x07\xff\xff\xff\x21"s;
const std::string continuous = "\x96\x01\x00\x00\x00\x00\x04\x00\x03\x00"s;
const std::string fence =
    "\xf8\x00\x00\x00\x80\x00\x00\x01\x03"
    "abc"s;

const std::string key = "\x04\x01\x00\x00\x00\x00\x00\x61"s;
const std::string pointer = "\x05\x01\x00\x10\x00\x10"s;
const std::string clipboard = "\x06\x00\x00\x00\x00\x00\x00\x05hello"s;
const std::string extended_clipboard =
    "\x06\x00\x00\x00\xff\xff\xff\xfc"
    "abcd"s;
const std::string power = "\xfa\x00\x01\x02"s;
const std::string desktop = "\xfb\x00\x04\x00\x03\x00\x01\x00"s + std::string(16, 's');
const std::string qemu_key = "\xff\x00\x00\x01\x00\x00\x00\x61\x00\x00\x00\x1e"s;
const std::string sound_on = "\xff\x01\x00\x00"s;
const std::string sound_format = "\xff\x01\x00\x02\x00\x02\x00\x00\xac\x44"s;

const std::string passed = format + encodings + request + continuous + fence + request;
const std::string sent = format + key + encodings + pointer + request + clipboard + continuous +
                         extended_clipboard + fence + power + desktop + qemu_key + sound_on +
                         sound_format + request;

}  // namespace rfb

TEST(RfbFilter, PassesRequestsForThePictureAndDropsInput) {
  RfbFilter filter;
  EXPECT_EQ(filter.pass(rfb::handshake + rfb::sent), rfb::handshake + rfb::passed);
  EXPECT_EQ(filter.pass(rfb::key), "");
  EXPECT_EQ(filter.pass(rfb::request), rfb::request);
}

TEST(RfbFilter, TakesBytesHoweverTheyAreCut) {
  const auto all = rfb::handshake + rfb::sent;
  for (std::size_t size = 1; size < 30; ++size) {
    RfbFilter filter;
    std::string got;
    for (std::size_t at = 0; at < all.size(); at += size) {
      const auto part = filter.pass(std::string_view(all).substr(at, size));
      ASSERT_TRUE(part) << part.error().detail;
      got += *part;
    }
    EXPECT_EQ(got, rfb::handshake + rfb::passed) << "in parts of " << size;
  }
}

TEST(RfbFilter, KeepsNoBytesOfALongClipboard) {
  RfbFilter filter;
  ASSERT_TRUE(filter.pass(rfb::handshake));
  ASSERT_EQ(filter.pass("\x06\x00\x00\x00\x00\x10\x00\x00"s), "");
  for (int i = 0; i < 16; ++i) ASSERT_EQ(filter.pass(std::string(1 << 16, '\x03')), "");
  EXPECT_EQ(filter.pass(rfb::request), rfb::request);
}

TEST(RfbFilter, LeavesTheOtherViewersConnected) {
  RfbFilter filter;
  EXPECT_EQ(filter.pass("RFB 003.007\n\x01\x00"s), "RFB 003.007\n\x01\x01"s);
}

TEST(RfbFilter, PassesAPassword) {
  RfbFilter filter;
  const auto begin = "RFB 003.008\n\x02"s + std::string(16, 'p') + "\x01"s;
  EXPECT_EQ(filter.pass(begin + rfb::key + rfb::request), begin + rfb::request);
}

TEST(RfbFilter, EndsAtWhatItDoesNotKnow) {
  for (const auto& [bytes, reason] : {
           std::pair{"RFB 003.003\n"s, "another version than RFB 3.7 or 3.8"},
           std::pair{"GET / HTTP/1.1"s, "another version than RFB 3.7 or 3.8"},
           std::pair{"RFB 003.008\n\x13"s, "an unknown kind of security"},
           std::pair{rfb::handshake + "\x07"s, "an unknown message: 7"},
           std::pair{rfb::handshake + "\xff\x02\x00\x00"s, "an unknown message of QEMU: 2"},
           std::pair{rfb::handshake + "\x02\x00\xff\xff"s, "too many encodings"},
       }) {
    RfbFilter filter;
    const auto got = filter.pass(bytes);
    ASSERT_FALSE(got) << reason;
    EXPECT_EQ(got.error().detail, "a viewer that only watches sent "s + reason);
  }
}

}  // namespace
}  // namespace nucleus::console
