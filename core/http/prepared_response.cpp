#include "core/http/prepared_response.hpp"

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/beast/http.hpp>
#include <sstream>

namespace nucleus::core::http {

PreparedResponsePtr prepare_response(Response response) {
  namespace beast_http = boost::beast::http;
  const std::string placeholder(request_id_bytes, '_');
  beast_http::response_header<> head;
  head.version(11);
  head.result(static_cast<unsigned>(response.status));
  for (const auto& [name, value] : response.headers) head.set(name, value);
  head.set("X-Request-Id", placeholder);
  head.set(beast_http::field::content_length, std::to_string(response.body.size()));
  std::ostringstream text;
  text << head;
  const std::string bytes = text.str();
  const auto id = bytes.find(placeholder);
  auto prepared = std::make_shared<PreparedResponse>();
  prepared->before_id = bytes.substr(0, id);
  prepared->after_id = bytes.substr(id + placeholder.size());
  prepared->response = std::move(response);
  return prepared;
}

}  // namespace nucleus::core::http
