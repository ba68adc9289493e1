// Which handler a method and path mean. Patterns are `/v1/cluster/{cluster}/`; a path may come with
// the prefix /nucleus that old clients send, and with or without its last slash. Pure.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace nucleus::gateway {

class Exchange;
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

struct Route {
  std::string method = {};
  std::string pattern = {};
  std::vector<std::string> segments = {};
  bool is_public = false;  // needs no credential
  Handler handler = {};
};

struct RouteMatch {
  const Route* route = nullptr;                  // null = no such route
  std::map<std::string, std::string> path = {};  // the values of {names}
  std::string allowed = {};                      // where only the method is wrong: `GET, PUT`
};

class Router {
 public:
  void add(std::string method, std::string pattern, Handler handler, bool is_public = false);
  RouteMatch find(const std::string& method, const std::string& path) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_ = {};
};

/// The parts between slashes, without the prefix /nucleus.
std::vector<std::string> segments_of(const std::string& path);

}  // namespace nucleus::gateway
