#include "client/session.hpp"

namespace nucleus::client {

core::Result<const Api*> Session::api(const std::string& endpoint) {
  auto& known = apis_[endpoint];
  if (!known) {
    auto chosen = choose_endpoint(endpoint);
    if (!chosen) return std::unexpected(chosen.error());
    known = std::make_unique<Api>(std::move(*chosen));
  }
  known->set_traced(is_debugging);
  return known.get();
}

core::Result<LocalCopy*> Session::copy() {
  if (!copy_) {
    auto opened = LocalCopy::open(client_folder());
    if (!opened) return std::unexpected(opened.error());
    copy_ = std::move(*opened);
  }
  return copy_.get();
}

std::string Session::endpoint_key(const std::string& endpoint) const {
  const auto chosen = choose_endpoint(endpoint);
  return chosen ? chosen->name + "@" + chosen->url : endpoint;
}

}  // namespace nucleus::client
