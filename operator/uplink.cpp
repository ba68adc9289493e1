#include "operator/uplink.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/runtime/child_process.hpp"
#include "messages/common.hpp"

namespace nucleus::operator_ {

namespace {

using Json = nlohmann::json;

// Kinds of interfaces that send through another one.
constexpr std::array upper_kinds = {"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"};

/// What `ip -json WORDS` lists.
core::Result<Json> list(const std::vector<std::string>& words) {
  std::vector<std::string> argv{"ip", "-json", "-details"};
  argv.insert(argv.end(), words.begin(), words.end());
  const auto printed = core::must_run_child({.argv = argv});
  if (!printed) return std::unexpected(printed.error());
  auto listed = Json::parse(printed->empty() ? "[]" : *printed, nullptr, false);
  if (listed.is_discarded() || !listed.is_array())
    return core::refuse(core::ErrorCode::internal, "ip -json printed no list");
  return listed;
}

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string kind_of(const Json& link) {
  const auto info = link.find("linkinfo");
  return info == link.end() ? std::string{} : text(*info, "info_kind");
}

/// The link-local IPv6 address that each interface has does not count.
std::string address_of(const Json& link) {
  for (const auto& address : link.value("addr_info", Json::array()))
    if (text(address, "family") != "inet6" || text(address, "scope") != "link")
      return text(address, "local");
  return {};
}

/// Why the machine needs the interface; empty if it does not.
std::string use_of(const std::string& name, const Json& links) {
  for (const auto& link : links) {
    const auto kind = kind_of(link);
    if (text(link, "link") == name && std::ranges::find(upper_kinds, kind) != upper_kinds.end())
      return name + " carries " + text(link, "ifname");
    if (text(link, "ifname") != name) continue;
    if (text(link, "link_type") == "loopback") return name + " is the loopback interface";
    if (kind == "bridge") return name + " is a bridge";
    if (const auto master = text(link, "master"); !master.empty())
      return name + " is a port of " + master;
    if (const auto address = address_of(link); !address.empty())
      return name + " has the address " + address;
  }
  return {};
}

}  // namespace

core::Result<void> check_uplink(const std::string& option, const std::string& name) {
  const auto refuse = [&](const std::string& reason) -> core::Result<void> {
    return core::refuse(core::ErrorCode::invalid_argument, "--" + option + ": " + reason, option);
  };
  const auto links = list({"address", "show"});
  if (!links) return std::unexpected(links.error());
  const bool is_known =
      std::ranges::any_of(*links, [&](const auto& link) { return text(link, "ifname") == name; });
  if (!is_known) return refuse("this machine has no interface " + msg::shown(name));
  if (const auto use = use_of(name, *links); !use.empty())
    return refuse(use + ": the machine would lose it");
  for (const char* family : {"-4", "-6"}) {
    const auto routes = list({family, "route", "show", "default", "table", "all"});
    if (!routes) return std::unexpected(routes.error());
    for (const auto& route : *routes)
      if (text(route, "dev") == name)
        return refuse(name + " has the default route: the machine would lose it");
  }
  return {};
}

}  // namespace nucleus::operator_
