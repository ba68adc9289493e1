#include "client/config/session.hpp"

#include <filesystem>

namespace nucleus::client {

core::Result<const Api*> Session::api(const std::string& endpoint) {
  auto& known = apis_[endpoint];
  if (!known) {
    auto chosen = choose_endpoint(endpoint);
    if (!chosen) return std::unexpected(chosen.error());
    known = std::make_unique<Api>(std::move(*chosen));
  }
  known->set_traced(is_debugging || is_on("debug"));
  return known.get();
}

void Session::use(Endpoint endpoint) {
  apis_[""] = std::make_unique<Api>(std::move(endpoint));
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

bool Session::has_copy() const {
  std::error_code error;
  return copy_ || std::filesystem::exists(LocalCopy::file_in(client_folder()), error);
}

std::string Session::setting(const std::string& key, const std::string& endpoint) {
  if (!has_copy()) return {};
  const auto known = copy();
  if (!known) return {};
  std::string value;
  if (!endpoint.empty()) value = (*known)->setting(endpoint, key);
  return value.empty() ? (*known)->setting("general", key) : value;
}

}  // namespace nucleus::client
