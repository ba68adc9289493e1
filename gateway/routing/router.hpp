// Finds the handler for a method and path. Patterns are `/v1/cluster/{cluster}/`. A path may have
// the prefix /nucleus and a slash at the end, or not; /v1/user, /v1/project and /v1/image match
// every path that begins with them. Pure.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/http/http.hpp"
#include "core/result.hpp"
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
  /// The parameters that a query may have; routes outside of /v2 check their own.
  std::set<std::string> parameters = {};
  std::string repeatable = {};  // the one of them that may be given several times

  /// The query may have these too.
  Route& takes(std::initializer_list<const char*> names) {
    parameters.insert(names.begin(), names.end());
    return *this;
  }
  Route& takes_many(std::string name) {
    repeatable = name;
    parameters.insert(std::move(name));
    return *this;
  }
  /// Those of a page of a collection.
  Route& takes_page() { return takes({"limit", "after", "fields"}); }
};

struct RouteMatch {
  const Route* route = nullptr;                  // null = no such route
  std::map<std::string, std::string> path = {};  // the values of {names}
  std::string allowed = {};                      // if only the method does not match: `GET, PUT`
};

class Router {
 public:
  /// The reference is valid until the next one is added.
  Route& add(std::string method, std::string pattern, msg::Right needs, Handler handler);
  /// A GET whose answers may be cached.
  Route& add_cached(std::string pattern, msg::Right needs, Handler handler) {
    auto& route = add("GET", std::move(pattern), needs, std::move(handler));
    route.is_cached = true;
    return route;
  }
  /// A GET for everybody: a caller with a credential sees more.
  void add_open(std::string pattern, Handler handler) {
    add("GET", std::move(pattern), msg::Right::read, std::move(handler)).is_open = true;
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

/// `invalid_argument` names a parameter of /v2 that the route does not have, or that is given
/// twice: a change with a misspelled `plan` must not be made.
core::Result<void> check_query(const Route& route, const core::http::Request& request);

/// `GET /v2/clusters`, for metrics.
inline std::string label_of(const Route& route) {
  return route.method + " " + route.pattern;
}

/// The parts between slashes, without the prefix /nucleus.
std::vector<std::string> segments_of(const std::string& path);

}  // namespace nucleus::gateway
