// nucleus class: set, remove, list.
#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <optional>

#include "messages/host_classes.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::operator_ {

namespace {

struct ClassArguments {
  std::string state = {};
  std::string name = {};
  std::optional<double> core_su = {};
  std::optional<double> gib_su = {};
};

core::Result<std::int64_t> milli_su(const char* option, std::optional<double> su,
                                    std::int64_t otherwise) {
  constexpr double most = static_cast<double>(msg::price_milli_su_max) / 1000;
  if (!su) return otherwise;
  if (*su >= 0 && *su <= most) {
    const double milli = std::round(*su * 1000);
    if (milli / 1000 == *su) return static_cast<std::int64_t>(milli);
  }
  return core::refuse(
      core::ErrorCode::invalid_argument,
      fmt::format("--{} must be 0 to {}, with three decimal places at most", option, most), option);
}

void print_classes(const std::vector<msg::HostClass>& classes) {
  std::cout << fmt::format("{:<18}{:>8}{:>14}{:>14}\n", "class", "hosts", "SU/core h", "SU/GiB h");
  for (const auto& one : classes)
    std::cout << fmt::format("{:<18}{:>8}{:>14g}{:>14g}\n", one.name, one.host_count,
                             static_cast<double>(one.price.core_milli_su) / 1000,
                             static_cast<double>(one.price.gib_milli_su) / 1000);
}

/// What is not given of the price stays as it is.
core::Result<int> set_class(const ClassArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto known = (*opened)->call(msg::ListHostClasses{.name = arguments.name});
  if (!known) return std::unexpected(known.error());
  const auto before = known->classes.empty() ? msg::Price{} : known->classes.front().price;
  const auto core = milli_su("core", arguments.core_su, before.core_milli_su);
  if (!core) return std::unexpected(core.error());
  const auto gib = milli_su("memory-gib", arguments.gib_su, before.gib_milli_su);
  if (!gib) return std::unexpected(gib.error());
  const auto defined = (*opened)->call(msg::DefineHostClass{
      .name = arguments.name, .price = {.core_milli_su = *core, .gib_milli_su = *gib}});
  if (!defined) return std::unexpected(defined.error());
  print_classes({*defined});
  return 0;
}

core::Result<int> remove_class(const ClassArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto removed = (*opened)->call(msg::RemoveHostClass{.name = arguments.name});
  if (!removed) return std::unexpected(removed.error());
  std::cout << "class " << arguments.name << " is removed\n";
  return 0;
}

core::Result<int> list_classes(const ClassArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto listed = call_all_pages(**opened, msg::ListHostClasses{}, &msg::HostClasses::classes);
  if (!listed) return std::unexpected(listed.error());
  print_classes(*listed);
  return 0;
}

void describe_class(CommandOptions& options, ClassArguments& arguments) {
  options.state(arguments.state);
  options.add("NAME", arguments.name, "name of the class").name().required();
}

}  // namespace

void add_host_class(Commands& commands) {
  auto group = commands.group("class", "classes of hosts, and what they cost");
  group.add<ClassArguments>(
      "set", "create a class, or change its price for what is started from now on", set_class,
      [](CommandOptions& options, ClassArguments& arguments) {
        describe_class(options, arguments);
        options.add("--core", arguments.core_su, "SU for each core and hour; 1 at first");
        options.add("--memory-gib", arguments.gib_su,
                    "SU for each GiB of memory and hour; 0 at first");
      });
  group.add<ClassArguments>("remove", "remove a class that no host has", remove_class,
                            describe_class);
  group.add<ClassArguments>(
      "list", "list all classes", list_classes,
      [](CommandOptions& options, ClassArguments& arguments) { options.state(arguments.state); });
}

}  // namespace nucleus::operator_
