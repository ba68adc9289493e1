#include "gateway/routing/router.hpp"

namespace nucleus::gateway {

namespace {

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
          std::map<std::string, std::string>& values) {
  if (pattern.size() != path.size()) return false;
  values.clear();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool is_value = pattern[i].starts_with('{');
    if (is_value && path[i].empty()) return false;
    if (is_value)
      values[pattern[i].substr(1, pattern[i].size() - 2)] = path[i];
    else if (pattern[i] != path[i])
      return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 1;
  while (begin <= path.size()) {
    const auto end = std::min(path.find('/', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  if (!parts.empty() && parts.back().empty()) parts.pop_back();
  if (!parts.empty() && parts.front() == "nucleus") parts.erase(parts.begin());
  // For old clients these match every path that begins with them (docs/rest-v1.md, Common rules).
  if (parts.size() >= 2 && parts[0] == "v1")
    for (const char* name : {"user", "project", "image"})
      if (parts[1].starts_with(name)) parts = {"v1", name};
  return parts;
}

Route& Router::add(std::string method, std::string pattern, msg::Right needs, Handler handler) {
  Route route{.method = std::move(method),
              .pattern = std::move(pattern),
              .needs = needs,
              .handler = std::move(handler)};
  route.segments = segments_of(route.pattern);
  routes_.push_back(std::move(route));
  return routes_.back();
}

RouteMatch Router::find(const std::string& method, const std::string& path) const {
  const auto segments = segments_of(path);
  RouteMatch match;
  std::map<std::string, std::string> values;
  for (const auto& route : routes_) {
    if (!fits(route.segments, segments, values)) continue;
    if (route.method == method) return {.route = &route, .path = std::move(values)};
    match.allowed += (match.allowed.empty() ? "" : ", ") + route.method;
  }
  return match;
}

core::Result<void> check_query(const Route& route, const core::http::Request& request) {
  if (!route.pattern.starts_with("/v2/")) return {};
  for (const auto& [name, value] : request.query) {
    const auto shown = msg::shown(name);
    if (!route.parameters.contains(name))
      return std::unexpected(msg::invalid(shown, "there is no parameter " + shown));
    if (name != route.repeatable && request.query.count(name) > 1)
      return std::unexpected(msg::invalid(shown, shown + " must be given once"));
  }
  return {};
}

}  // namespace nucleus::gateway
