// The scheduler's messages about kinds of hosts: what a computeset runs on, and what it pays.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/scheduler.hpp"

namespace nucleus::msg {

struct HostClass {
  std::string name = {};
  Price price = {};
  std::uint32_t host_count = 0;  // that have this class
  NUCLEUS_FIELDS(name, price, host_count);
};

inline std::optional<Error> check(const Price& price) {
  for (const auto& [field, amount] : {std::pair{"core_milli_su", price.core_milli_su},
                                      std::pair{"gib_milli_su", price.gib_milli_su}})
    if (amount < 0 || amount > price_milli_su_max)
      return invalid(field, std::string(field) + " must be 0 to 100000");
  return std::nullopt;
}

/// Creates a class, or changes its price for computesets that are accepted from now on.
struct DefineHostClass {
  static constexpr std::string_view topic = "scheduler.define-host-class";
  using Reply = HostClass;
  std::string name = {};  // a name
  Price price = {};
  NUCLEUS_FIELDS(name, price);
};

inline std::optional<Error> check(const DefineHostClass& request) {
  if (auto broken = check_name("name", request.name)) return broken;
  return check(request.price);
}

/// Forgets a class. `wrong_state` for `default`, and while a host has it or an unfinished
/// computeset asked for it.
struct RemoveHostClass {
  static constexpr std::string_view topic = "scheduler.remove-host-class";
  using Reply = Done;
  std::string name = {};
  NUCLEUS_FIELDS(name);
};

struct HostClasses {
  std::vector<HostClass> classes = {};  // by name; `default` is always one of them
  std::string next = {};                // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(classes, next);
};

struct ListHostClasses {
  static constexpr std::string_view topic = "scheduler.list-host-classes";
  using Reply = HostClasses;
  std::string name = {};  // only this one; empty = all
  Page page = {};
  NUCLEUS_FIELDS(name, page);
};

/// Sets what an operator knows about a host. What is not given is kept. `wrong_state` if nodes of
/// another class are placed there.
struct ClassifyHost {
  static constexpr std::string_view topic = "scheduler.classify-host";
  using Reply = Host;
  HostId host_id = {};
  std::optional<std::string> host_class = {};  // a class that exists
  std::optional<std::string> rack = {};        // a name; empty = not known
  NUCLEUS_FIELDS(host_id, host_class, rack);
};

inline std::optional<Error> check(const ClassifyHost& request) {
  if (request.host_class)
    if (auto broken = check_name("host_class", *request.host_class)) return broken;
  if (request.rack && !request.rack->empty()) return check_name("rack", *request.rack);
  return std::nullopt;
}

/// Event: a class was created, or its price changed.
struct HostClassChanged {
  static constexpr std::string_view topic = "scheduler.host-class-changed";
  ProjectId project_id = {};  // public
  HostClass host_class = {};
  NUCLEUS_FIELDS(project_id, host_class);
};

/// Event: a class was removed.
struct HostClassRemoved {
  static constexpr std::string_view topic = "scheduler.host-class-removed";
  ProjectId project_id = {};  // public
  std::string name = {};
  NUCLEUS_FIELDS(project_id, name);
};

}  // namespace nucleus::msg
