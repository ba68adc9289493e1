// node snapshot, disk, rollback, autosave and discard; image save.
#include <charconv>
#include <functional>
#include <iostream>
#include <optional>

#include "client/commands/commands.hpp"
#include "client/commands/publication.hpp"
#include "client/commands/transfer.hpp"
#include "client/commands/waiting.hpp"
#include "client/http/url.hpp"
#include "client/output/views.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

std::string disk_path(const std::string& cluster, const std::string& node) {
  return "/v2/clusters/" + encoded(cluster) + "/nodes/" + encoded(node) + "/disk";
}

std::int64_t number_in(const Json& object, const char* field) {
  return object[field].number().value_or(0);
}

std::string shown_work(const Json& work) {
  const auto& kind = work["kind"].text();
  const auto& reason = work["reason"].text();
  const bool is_under_way = number_in(work, "ended_unix_s") == 0;
  const std::string what = kind == "save"        ? "being saved"
                           : kind == "roll_back" ? "being rolled back"
                                                 : "a generation is being removed";
  if (is_under_way) return what + (reason.empty() ? "" : ": " + reason);
  const std::string failed = kind == "save"        ? "not saved"
                             : kind == "roll_back" ? "not rolled back"
                                                   : "generation not removed";
  return failed + ": " + reason;
}

std::string shown_size(const Json& object, const char* field) {
  return shown_bytes(static_cast<std::uint64_t>(number_in(object, field)));
}

bool is_set(const Json& object, const char* field) {
  return object[field].text() == "true";
}

std::string shown_state(const Json& generation, std::int64_t current) {
  std::string state = number_in(generation, "number") == current ? "in use" : "";
  if (is_set(generation, "is_automatic")) state += state.empty() ? "automatic" : ", automatic";
  return state;
}

/// What would be lost with the host that keeps the disk; empty = nothing.
std::string shown_risk(const Json& disk) {
  const auto& host = disk["host_id"].text();
  if (host.empty() || !is_set(disk, "is_changed")) return {};
  const auto current = number_in(disk, "generation");
  for (const auto& one : disk["generations"].items())
    if (number_in(one, "number") == current)
      return "changed since generation " + one["number"].text() + " of " +
             shown_time(number_in(one, "saved_unix_s")) + ": the changes are on host " + host +
             " alone";
  return "never saved: all that was written is on host " + host + " alone";
}

std::string shown_policy(const Json& disk) {
  if (is_set(disk, "is_save_due"))
    return "to be saved when host " + disk["host_id"].text() + " is up";
  const auto every = number_in(disk, "save_every_minutes");
  const std::string while_it_runs =
      every == 0 ? "" : "saved every " + std::to_string(every) + " min while the node runs";
  if (!is_set(disk, "save_at_power_off")) return while_it_runs;
  return while_it_runs + (every == 0 ? "saved" : ", and") + " when the node has gone off";
}

/// What --every says; nothing without it.
core::Result<std::optional<std::int64_t>> minutes_in(const Words& words) {
  if (!words.has("--every")) return std::nullopt;
  const auto& text = words["--every"];
  std::int64_t minutes = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), minutes);
  if (fault != std::errc{} || end != text.data() + text.size() || minutes < 1)
    return core::refuse(ErrorCode::invalid_argument, "--every must be a number of minutes");
  if (words.has("--off"))
    return core::refuse(ErrorCode::invalid_argument, "--every and --off exclude each other");
  return minutes;
}

/// --every and the saves at power-off are set apart; --off ends both.
Json policy_of(bool is_off, const std::optional<std::int64_t>& minutes, Json nodes) {
  if (minutes) return Json::object({{"nodes", std::move(nodes)}, {"save_every_minutes", *minutes}});
  if (is_off)
    return Json::object({{"nodes", std::move(nodes)},
                         {"save_at_power_off", Json::boolean(false)},
                         {"save_every_minutes", std::int64_t{0}}});
  return Json::object({{"nodes", std::move(nodes)}, {"save_at_power_off", Json::boolean(true)}});
}

/// One row for each generation, after one for the image. What is on its host alone, when it is
/// saved, what is done with it, and why the last work failed, is in the last rows.
Listing disk_listing(const Json& disk) {
  const auto current = number_in(disk, "generation");
  Listing listing{.columns = {"generation", "name", "saved", "size", "continues", "state"}};
  listing.rows.push_back({"0", disk["image_id"].text(), "", shown_size(disk, "disk_bytes"), "",
                          current == 0 ? "in use" : ""});
  for (const auto& one : disk["generations"].items())
    listing.rows.push_back(
        {one["number"].text(), one["name"].text(), shown_time(number_in(one, "saved_unix_s")),
         shown_size(one, "size_bytes"), one["parent"].text(), shown_state(one, current)});
  for (const auto& state : {shown_risk(disk), shown_policy(disk)})
    if (!state.empty()) listing.rows.push_back({"", "", "", "", "", state});
  const auto& work = disk["work"];
  const bool is_shown = !work["work_id"].text().empty() &&
                        (number_in(work, "ended_unix_s") == 0 || !work["reason"].text().empty());
  if (is_shown) listing.rows.push_back({"", work["name"].text(), "", "", "", shown_work(work)});
  return listing;
}

/// Work that a server has begun.
struct Work {
  std::string node;
  std::string work_id;
};

bool is_over(const Json& disk, const std::string& work_id) {
  const auto& work = disk["work"];
  return work["work_id"].text() != work_id || work["ended_unix_s"].number().value_or(0) != 0;
}

/// Waits until all works have ended; those that failed are printed with their reasons.
core::Result<int> wait_for(const Api& api, const WaitOption& option, const std::string& cluster,
                           const std::vector<Work>& works) {
  std::vector<std::string> failures;
  const auto look = [&]() -> core::Result<Progress> {
    std::size_t ended = 0;
    failures.clear();
    for (const auto& [node, work_id] : works) {
      const auto disk = api.get(disk_path(cluster, node));
      if (!disk) return std::unexpected(disk.error());
      if (!is_over(*disk, work_id)) continue;
      ++ended;
      const auto& work = (*disk)["work"];
      if (work["work_id"].text() == work_id && !work["reason"].text().empty())
        failures.push_back("node " + node + ": " + work["reason"].text());
    }
    return Progress{
        .line = std::to_string(ended) + " of " + std::to_string(works.size()) + " disks done",
        .is_done = ended == works.size()};
  };
  const auto code = wait_until_done(api, option, look);
  for (const auto& failure : failures) std::cerr << failure << "\n";
  return code && *code == 0 && !failures.empty() ? core::Result<int>(1) : code;
}

/// Begins the same work on each of the nodes; one that is refused does not keep the others from it.
core::Result<int> change_disks(
    const Api& api, const Words& words, const std::vector<std::string>& names,
    const std::string& done, const std::function<core::Result<Json>(const std::string&)>& change) {
  const auto wait = wait_option(words);
  if (!wait) return std::unexpected(wait.error());
  std::vector<Work> works;
  for (const auto& name : names) {
    const auto disk = change(name);
    if (!disk && names.size() == 1) return std::unexpected(disk.error());
    if (!disk) {
      std::cerr << "node " << name << ": " << disk.error().detail << "\n";
      continue;
    }
    works.push_back({name, (*disk)["work"]["work_id"].text()});
    std::cout << "node " << name << ": " << done << std::endl;
  }
  const auto code = wait->is_wanted && !works.empty()
                        ? wait_for(api, *wait, words["CLUSTER"], works)
                        : core::Result<int>(0);
  return code && *code == 0 && works.size() < names.size() ? core::Result<int>(1) : code;
}

core::Result<std::vector<std::string>> nodes_of(const Api& api, const Words& words) {
  const auto known = get_cluster(api, words["CLUSTER"]);
  if (!known) return std::unexpected(known.error());
  auto names = names_in(words["NODES"]);
  if (!names) return names;
  if (auto checked = check_members(*known, *names); !checked)
    return std::unexpected(checked.error());
  return names;
}

/// The path of the disk of a node that the cluster has.
core::Result<std::string> known_disk_path(const Api& api, const std::string& cluster,
                                          const std::string& node) {
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  const auto name = node.empty() ? (*known)["frontend"]["name"].text() : node;
  if (auto checked = check_members(*known, {name}); !checked)
    return std::unexpected(checked.error());
  return disk_path(cluster, name);
}

/// A generation by its number or its name; 0 is the image.
core::Result<std::int64_t> generation_named(const Json& disk, const std::string& text) {
  for (const auto& one : disk["generations"].items())
    if (one["number"].text() == text || one["name"].text() == text)
      return one["number"].number().value_or(0);
  if (text == "0") return 0;
  return core::refuse(ErrorCode::not_found, "the disk has no generation " + msg::shown(text));
}

core::Result<std::int64_t> newest_generation(const Json& disk) {
  const auto all = disk["generations"].items();
  if (all.empty())
    return core::refuse(ErrorCode::wrong_state,
                        "the disk has no generation: save one first, with comet node snapshot");
  return all.back()["number"].number().value_or(0);
}

}  // namespace

core::Result<int> save_disks(const Api& api, const Words& words) {
  const auto names = nodes_of(api, words);
  if (!names) return std::unexpected(names.error());
  return change_disks(api, words, *names, "its disk is being saved", [&](const std::string& node) {
    return api.post(disk_path(words["CLUSTER"], node) + "/generations",
                    Json::object({{"name", words["NAME"]}}));
  });
}

core::Result<int> roll_back_disks(const Api& api, const Words& words) {
  const auto names = nodes_of(api, words);
  if (!names) return std::unexpected(names.error());
  if (!is_confirmed("Discard what " + words["NODES"] + " has written since?")) return 1;
  return change_disks(
      api, words, *names, "its disk is being rolled back",
      [&](const std::string& node) -> core::Result<Json> {
        const auto path = disk_path(words["CLUSTER"], node);
        const auto disk = api.get(path);
        if (!disk) return disk;
        const auto generation = generation_named(*disk, words["GENERATION"]);
        if (!generation) return std::unexpected(generation.error());
        return api.post(path + "/rollback", Json::object({{"generation", *generation}}));
      });
}

core::Result<int> set_automatic_saves(const Api& api, const Words& words) {
  const auto names = nodes_of(api, words);
  if (!names) return std::unexpected(names.error());
  const auto minutes = minutes_in(words);
  if (!minutes) return std::unexpected(minutes.error());
  const bool is_off = words.has("--off");
  const auto done = api.send("PATCH", "/v2/clusters/" + encoded(words["CLUSTER"]) + "/nodes",
                             policy_of(is_off, *minutes, list_of(*names)));
  if (!done) return std::unexpected(done.error());
  if (*minutes)
    std::cout << "their disks are saved every " << **minutes
              << " min while they run on hosts that keep disks\n";
  else
    std::cout << (is_off ? "their disks are saved on request alone\n"
                         : "their disks are saved when they have gone off\n");
  return 0;
}

core::Result<int> remove_generation(const Api& api, const Words& words) {
  const auto path = known_disk_path(api, words["CLUSTER"], words["NODE"]);
  if (!path) return std::unexpected(path.error());
  return change_disks(api, words, {words["NODE"]}, "a generation of its disk is being removed",
                      [&](const std::string&) -> core::Result<Json> {
                        const auto disk = api.get(*path);
                        if (!disk) return disk;
                        const auto generation = generation_named(*disk, words["GENERATION"]);
                        if (!generation) return std::unexpected(generation.error());
                        return api.send("DELETE",
                                        *path + "/generations/" + std::to_string(*generation),
                                        Json::object());
                      });
}

core::Result<int> show_disk(const Api& api, const Words& words) {
  const auto path = known_disk_path(api, words["CLUSTER"], words["NODE"]);
  if (!path) return std::unexpected(path.error());
  const auto disk = api.get(*path);
  if (!disk) return std::unexpected(disk.error());
  return print(disk_listing(*disk), words["--format"], *disk);
}

core::Result<int> save_image(const Api& api, const Words& words) {
  const auto path = known_disk_path(api, words["CLUSTER"], words["NODE"]);
  if (!path) return std::unexpected(path.error());
  const auto disk = api.get(*path);
  if (!disk) return std::unexpected(disk.error());
  const auto generation = words.has("--generation") ? generation_named(*disk, words["--generation"])
                                                    : newest_generation(*disk);
  if (!generation) return std::unexpected(generation.error());
  const auto image_id = new_image_id(api, words["IMAGE"]);
  if (!image_id) return std::unexpected(image_id.error());
  const auto begun = api.post(*path + "/generations/" + std::to_string(*generation) + "/image",
                              Json::object({{"image_id", *image_id}}));
  if (!begun) return std::unexpected(begun.error());
  if (!words.has("--wait")) {
    std::cout << "image " << *image_id << " is being made of generation " << *generation << "\n";
    return 0;
  }
  const auto done = wait_until_published(api, *image_id, (*begun)["upload_id"].text());
  if (!done) return done;
  std::cout << "image " << *image_id << " published\n";
  return 0;
}

}  // namespace nucleus::client
