#include "gateway/ready_answer.hpp"

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/beast/http.hpp>
#include <sstream>

namespace nucleus::gateway {

ReadyAnswerPtr make_ready(HttpResponse response) {
  namespace http = boost::beast::http;
  const std::string no_id(request_id_bytes, '_');
  http::response_header<> head;
  head.version(11);
  head.result(static_cast<unsigned>(response.status));
  for (const auto& [name, value] : response.headers) head.set(name, value);
  head.set("X-Request-Id", no_id);
  head.set(http::field::content_length, std::to_string(response.body.size()));
  std::ostringstream text;
  text << head;
  const std::string whole = text.str();
  const auto id = whole.find(no_id);
  auto ready = std::make_shared<ReadyAnswer>();
  ready->before_id = whole.substr(0, id);
  ready->after_id = whole.substr(id + no_id.size());
  ready->response = std::move(response);
  return ready;
}

}  // namespace nucleus::gateway
