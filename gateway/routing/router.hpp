// Which handler a method and path mean. Patterns are `/v1/cluster/{cluster}/`; a path may come with
// the prefix /nucleus that old clients send, and with or without its last slash; /v1/user,
// /v1/project and /v1/image are whatever begins so. Pure.
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
  msg::Right needs = msg::Right::unknown;  // what the caller must have; unknown = no credential
  Handler handler = {};
  /// A GET whose answer another is only after an event of its cluster, or of the caller's projects
  /// where its path names none: it may be answered from memory.
  bool is_cached = false;
};

struct RouteMatch {
  const Route* route = nullptr;                  // null = no such route
  std::map<std::string, std::string> path = {};  // the values of {names}
  std::string allowed = {};                      // where only the method is wrong: `GET, PUT`
};

class Router {
 public:
  void add(std::string method, std::string pattern, msg::Right needs, Handler handler);
  /// A GET that may be answered from memory.
  void add_cached(std::string pattern, msg::Right needs, Handler handler) {
    add("GET", std::move(pattern), needs, std::move(handler));
    routes_.back().is_cached = true;
  }
  /// A route that asks nobody who they are.
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
