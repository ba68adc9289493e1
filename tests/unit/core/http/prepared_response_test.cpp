// The bytes of a prepared response.
#include "core/http/prepared_response.hpp"

#include <gtest/gtest.h>

namespace nucleus::core::http {
namespace {

TEST(PreparedResponse, IsACompleteHeadWithAGapForTheRequestId) {
  const auto prepared =
      prepare_response({.headers = {{"Content-Type", "application/json"}}, .body = "{\"a\":1}"});
  EXPECT_EQ(prepared->before_id + "ID" + prepared->after_id,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: ID\r\n"
            "Content-Length: 7\r\n\r\n");
  EXPECT_EQ(prepared->response.body, "{\"a\":1}");
}

}  // namespace
}  // namespace nucleus::core::http
