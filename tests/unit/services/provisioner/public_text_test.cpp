#include "services/provisioner/public_text.hpp"

#include <gtest/gtest.h>

namespace nucleus::provisioner {
namespace {

TEST(PublicText, KeepsOnlyTheLastComponentOfAPath) {
  EXPECT_EQ(without_paths("Could not open '/srv/state/volumes/n1.qcow2': No such file"),
            "Could not open 'n1.qcow2': No such file");
  EXPECT_EQ(without_paths("-drive file=/a/b.img,if=none: (/x/y)"),
            "-drive file=b.img,if=none: (y)");
  EXPECT_EQ(without_paths("/var/lib/x"), "x");
}

TEST(PublicText, KeepsEverythingElse) {
  for (const char* text : {"", " ", "no memory left", "5 MB/s of 3/4", "a: b, 'c'", "host h1: x\n"})
    EXPECT_EQ(without_paths(text), text);
}

}  // namespace
}  // namespace nucleus::provisioner
