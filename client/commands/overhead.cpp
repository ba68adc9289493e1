// comet overhead: what virtualization costs in a cluster, as its certificates have it, and the
// links between its nodes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/commands/waiting.hpp"
#include "client/http/url.hpp"
#include "client/output/views.hpp"
#include "messages/text.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

std::string overhead_path(const Words& words) {
  return "/v2/clusters/" + encoded(words["CLUSTER"]) + "/overhead";
}

std::string certificate_path(const Words& words) {
  const auto id = words["--certificate"];
  return overhead_path(words) + "/certificates/" + encoded(id.empty() ? "latest" : id);
}

/// Every line about software emulation says so.
std::string accelerator_of(const Json& certificate) {
  const auto name = certificate["accelerator"].text();
  return name == "tcg" ? "tcg (software emulation)" : name;
}

/// With four significant digits; `-` for what was not measured.
std::string rounded(const Json& number) {
  const double value = std::strtod(number.text().c_str(), nullptr);
  return value > 0 ? fmt::format("{:.4g}", value) : "-";
}

std::string interval_text(const Json& ratio) {
  const auto low = rounded(ratio["low"]);
  return low == "-" ? low : low + " to " + rounded(ratio["high"]);
}

Listing certificate_view(const Json& certificate) {
  Listing listing{.columns = {"measurement", "unit", "native", "virtual", "ratio", "95 % interval",
                              "noise", "threshold", "verdict", "accelerator", "reason"}};
  for (const auto& figure : certificate["figures"].items())
    listing.rows.push_back({figure["measurement"].text(), figure["unit"].text(),
                            rounded(figure["native_median"]), rounded(figure["virtual_median"]),
                            rounded(figure["ratio"]["median"]), interval_text(figure["ratio"]),
                            interval_text(figure["noise"]), rounded(figure["threshold"]),
                            figure["verdict"].text(), accelerator_of(certificate),
                            figure["reason"].text()});
  return listing;
}

Listing history_view(const Json& certificates) {
  Listing listing{.columns = {"certificate", "time", "measurement", "ratio", "95 % interval",
                              "verdict", "accelerator"}};
  for (const auto& certificate : certificates.items())
    for (const auto& figure : certificate["figures"].items())
      listing.rows.push_back({certificate["certificate_id"].text(),
                              shown_time(certificate["ended_unix_s"].number().value_or(0)),
                              figure["measurement"].text(), rounded(figure["ratio"]["median"]),
                              interval_text(figure["ratio"]), figure["verdict"].text(),
                              accelerator_of(certificate)});
  return listing;
}

core::Result<int> print_certificate(const Api& api, const Words& words) {
  const auto found = api.get(certificate_path(words));
  if (!found) return std::unexpected(found.error());
  const auto& certificate = *found;
  if (words["--format"] == "table") {
    std::cout << fmt::format("Certificate {} of {}: {}\n",
                             msg::shown(certificate["certificate_id"].text()),
                             msg::shown(certificate["cluster_id"].text()),
                             shown_time(certificate["ended_unix_s"].number().value_or(0)));
    if (certificate["is_single_host"].text() == "true")
      std::cout << "All nodes are on one host.\n";
    else if (certificate["is_single_machine"].text() == "true")
      std::cout << "The hosts share one machine.\n";
  }
  return print(certificate_view(certificate), words["--format"], certificate);
}

/// When the last measurement with a report at `path` ended; 0 if there was none.
core::Result<std::int64_t> measured_at(const Api& api, const std::string& path) {
  const auto report = api.get(path);
  if (report) return (*report)["measured_unix_s"].number().value_or(0);
  if (report.error().code == ErrorCode::not_found) return 0;
  return std::unexpected(report.error());
}

/// Follows the report at `path` until it is newer than `before`.
LookAt look_at_report(const Api& api, const std::string& path, std::int64_t before_unix_s) {
  return [&api, path, before_unix_s]() -> core::Result<Progress> {
    const auto report = api.get(path);
    if (!report && report.error().code != ErrorCode::not_found)
      return std::unexpected(report.error());
    if (!report || (*report)["measured_unix_s"].number().value_or(0) <= before_unix_s)
      return Progress{.line = "measuring"};
    const auto failure = (*report)["failure"].text();
    if (!failure.empty())
      return Progress{
          .line = "the measurement failed: " + failure, .is_done = true, .is_failed = true};
    return Progress{.line = "measured", .is_done = true};
  };
}

/// Asks for a measurement with a report at `path`. Returns 0 when it was accepted, or with --wait
/// when it is done.
core::Result<int> measure(const Api& api, const Words& words, const std::string& path,
                          const Json& body, const std::string& see) {
  const auto option = wait_option(words);
  if (!option) return std::unexpected(option.error());
  const auto before_unix_s = measured_at(api, path);
  if (!before_unix_s) return std::unexpected(before_unix_s.error());
  const auto accepted = api.post(path, body);
  if (!accepted) return std::unexpected(accepted.error());
  if (option->is_wanted)
    return wait_until_done(api, *option, look_at_report(api, path, *before_unix_s));
  std::cout << "The measurement was accepted. It runs for minutes; see: comet overhead "
            << words["CLUSTER"] << " " << see << "\n";
  return 0;
}

core::Result<int> run_measurement(const Api& api, const Words& words) {
  Json body = Json::object();
  if (words.has("--seconds")) body.set("seconds_max", Json(words.number("--seconds")));
  if (words.has("--tools")) {
    const auto tools = names_in(words["--tools"]);
    if (!tools) return std::unexpected(tools.error());
    body.set("tools", list_of(*tools));
  }
  const auto done = measure(api, words, overhead_path(words), body, "show");
  if (!done || *done != 0 || !words.has("--wait")) return done;
  return print_certificate(api, words);
}

core::Result<int> list_certificates(const Api& api, const Words& words) {
  const auto found = api.get_all(overhead_path(words) + "/certificates", "certificates");
  if (!found) return std::unexpected(found.error());
  return print(history_view(*found), words["--format"], *found);
}

core::Result<int> export_certificate(const Api& api, const Words& words) {
  const auto given = words["--format"];
  const auto format = given == "table" ? "json" : given;
  constexpr auto known =
      std::to_array<std::string_view>({"json", "csv", "openmetrics", "reframe", "bencher"});
  if (std::ranges::find(known, format) == known.end())
    return core::refuse(ErrorCode::invalid_argument,
                        "--format of export must be json, csv, openmetrics, reframe or bencher");
  const auto text = api.get_all_text(certificate_path(words) + "?format=" + format);
  if (!text) return std::unexpected(text.error());
  std::cout << msg::printable(*text);
  if (!text->ends_with('\n')) std::cout << "\n";
  return 0;
}

/// The medians of all links, and the node that the slow ones share.
void print_summary(const Json& report) {
  const auto links = report["links"].items().size();
  std::cout << fmt::format(
      "{} of {} nodes, {}: median {} us, {} MB/s; {}\n",
      links == 1 ? "1 link" : fmt::format("{} links", links), report["nodes"].items().size(),
      shown_time(report["measured_unix_s"].number().value_or(0)),
      rounded(report["latency_us_median"]), rounded(report["bandwidth_mb_s_median"]),
      msg::printable(accelerator_of(report["conditions"])));
  const auto node = report["shared_node"].text();
  std::size_t slow = 0;
  for (const auto& link : report["links"].items()) slow += link["is_slow"].text() == "true";
  if (slow == 0) std::cout << fmt::format("no slow link among {}\n", links);
  if (node.empty()) return;
  const auto of_node = report["nodes"].items().size() - 1;
  std::cout << fmt::format("node {}: {} of its links are slow\n", msg::shown(node),
                           slow == of_node ? "all" : fmt::format("{} of {}", slow, of_node));
}

Listing link_view(const Json& report, bool are_all_wanted) {
  Listing listing{.columns = {"first", "second", "latency (us)", "bandwidth (MB/s)", "slow",
                              "hosts", "accelerator"}};
  for (const auto& link : report["links"].items())
    if (are_all_wanted || link["is_slow"].text() == "true")
      listing.rows.push_back({link["first"].text(), link["second"].text(),
                              rounded(link["latency_us"]), rounded(link["bandwidth_mb_s"]),
                              link["is_slow"].text(),
                              link["is_same_host"].text() == "true" ? "same host" : "two hosts",
                              accelerator_of(report["conditions"])});
  return listing;
}

core::Result<int> print_links(const Api& api, const std::string& path, const Words& words) {
  const auto report = api.get(path);
  if (!report) return std::unexpected(report.error());
  if (const auto failure = (*report)["failure"].text(); !failure.empty())
    return core::refuse(ErrorCode::wrong_state,
                        "the last measurement of the links failed: " + failure);
  const auto format = words["--format"];
  if (format == "json") return print({}, "rest", *report);
  if (format != "table") return print(link_view(*report, true), format, *report);
  print_summary(*report);
  const auto slow = link_view(*report, false);
  return slow.rows.empty() ? core::Result<int>(0) : print(slow, format, *report);
}

core::Result<int> run_links(const Api& api, const Words& words) {
  const auto part = words["PART"];
  if (!part.empty() && part != "run" && part != "show")
    return core::refuse(ErrorCode::invalid_argument, "PART of links must be run or show");
  const auto path = overhead_path(words) + "/links";
  if (part == "run") {
    const auto done = measure(api, words, path, Json::object(), "links");
    if (!done || *done != 0 || !words.has("--wait")) return done;
  }
  auto printed = print_links(api, path, words);
  if (printed || printed.error().code != ErrorCode::not_found) return printed;
  return core::refuse(ErrorCode::not_found, "no such cluster, or its links were never measured: " +
                                                msg::shown(words["CLUSTER"]));
}

/// Refuses an option that this verb would ignore.
core::Result<void> check_options(const Words& words) {
  const auto verb = words["VERB"];
  const bool is_run = verb == "run";
  const bool is_begun = is_run || (verb == "links" && words["PART"] == "run");
  const bool is_shown = verb == "show" || verb == "export";
  struct Rule {
    std::string_view option;
    bool is_used;
    std::string_view verbs;
  };
  for (const auto& [option, is_used, verbs] :
       {Rule{"--seconds", is_run, "run"}, Rule{"--tools", is_run, "run"},
        Rule{"--wait", is_begun, "run and links run"},
        Rule{"--wait-limit", is_begun, "run and links run"},
        Rule{"--certificate", is_shown, "show and export"}})
    if (words.is_given(option) && !is_used)
      return core::refuse(ErrorCode::invalid_argument,
                          fmt::format("{} is an option of {} only", option, verbs));
  return {};
}

core::Result<int> run_verb(const Api& api, const Words& words) {
  const auto verb = words["VERB"];
  if (verb == "export") return export_certificate(api, words);
  if (const auto known = format_of(words["--format"]); !known)
    return std::unexpected(known.error());
  if (verb == "show") return print_certificate(api, words);
  if (verb == "run") return run_measurement(api, words);
  if (verb == "history") return list_certificates(api, words);
  return core::refuse(ErrorCode::invalid_argument,
                      "VERB must be run, show, history, export or links");
}

}  // namespace

core::Result<int> overhead(const Api& api, const Words& words) {
  if (words["VERB"] != "links" && words.has("PART"))
    return core::refuse(ErrorCode::invalid_argument, "only links has a PART");
  if (const auto allowed = check_options(words); !allowed) return std::unexpected(allowed.error());
  if (words["VERB"] == "links") {
    if (const auto known = format_of(words["--format"]); !known)
      return std::unexpected(known.error());
    return run_links(api, words);
  }
  auto result = run_verb(api, words);
  if (result || result.error().code != ErrorCode::not_found) return result;
  const auto cluster = msg::shown(words["CLUSTER"]);
  const auto report = api.get(overhead_path(words));
  const auto failure = report ? (*report)["failure"].text() : std::string();
  if (!words.has("--certificate") && !failure.empty())
    return core::refuse(ErrorCode::wrong_state,
                        "the last measurement of " + cluster + " failed: " + failure);
  return core::refuse(
      ErrorCode::not_found,
      words.has("--certificate")
          ? "no such certificate of cluster " + cluster + ": " + msg::shown(words["--certificate"])
          : "no such cluster, or it was never measured: " + cluster);
}

}  // namespace nucleus::client
