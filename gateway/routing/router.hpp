// Finds the handler for a method and path. Patterns are `/v1/cluster/{cluster}/`. A path may have
// the prefix /nucleus and a slash at the end, or not; /v1/user, /v1/project and /v1/image match
// every path that begins with them. Pure.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "messages/people.hpp"

namespace nucleus::gateway {

class Exchange;
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

struct Route {
  std::string method = {};
  std::string pattern = {};
  std::vector<std::string> segments = {};
  msg::Right needs = msg::Right::unknown;  // of the caller; unknown = no credential is needed
  Handler handler = {};
  /// A caller without a credential is served as one without projects.
  bool is_open = false;
  /// A GET whose answer changes only after an event of the path's cluster or, if the path names
  /// none, of the caller's projects: its answers may be cached.
  bool is_cached = false;
};

struct RouteMatch {
  const Route* route = nullptr;                  // null = no such route
  std::map<std::string, std::string> path = {};  // the values of {names}
  std::string allowed = {};                      // if only the method does not match: `GET, PUT`
};

class Router {
 public:
  void add(std::string method, std::string pattern, msg::Right needs, Handler handler);
  /// A GET whose answers may be cached.
  void add_cached(std::string pattern, msg::Right needs, Handler handler) {
    add("GET", std::move(pattern), needs, std::move(handler));
    routes_.back().is_cached = true;
  }
  /// A GET for everybody: a caller with a credential sees more.
  void add_open(std::string pattern, Handler handler) {
    add("GET", std::move(pattern), msg::Right::read, std::move(handler));
    routes_.back().is_open = true;
  }
  /// A route without a credential.
  void add_public(std::string method, std::string pattern, Handler handler) {
    add(std::move(method), std::move(pattern), msg::Right::unknown, std::move(handler));
  }
  RouteMatch find(const std::string& method, const std::string& path) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_ = {};
};

/// `GET /v2/clusters`, for metrics.
inline std::string label_of(const Route& route) {
  return route.method + " " + route.pattern;
}

/// The parts between slashes, without the prefix /nucleus.
std::vector<std::string> segments_of(const std::string& path);

}  // namespace nucleus::gateway
