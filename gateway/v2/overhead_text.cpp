#include "gateway/v2/overhead_text.hpp"

#include <fmt/format.h>

#include "gateway/json/json.hpp"
#include "gateway/v2/usage_text.hpp"

namespace nucleus::gateway {

namespace {

std::string shown(double value) {
  return fmt::format("{:.9g}", value);
}

bool has_ratio(const msg::Figure& figure) {
  return figure.verdict != msg::Verdict::refused && figure.ratio.median > 0;
}

std::string csv_of(const msg::Certificate& certificate) {
  std::string text =
      csv_line({"certificate_id", "cluster_id", "ended_unix_s", "accelerator", "measurement",
                "unit", "pairs", "native", "virtual", "ratio", "ratio_low", "ratio_high", "noise",
                "threshold", "verdict", "reason"});
  for (const auto& figure : certificate.figures) {
    const auto pairs = std::min(figure.native.size(), figure.virtual_.size());
    text += csv_line({certificate.certificate_id, certificate.cluster_id.value,
                      std::to_string(certificate.ended_unix_s), certificate.accelerator,
                      figure.measurement, figure.unit, std::to_string(pairs),
                      shown(figure.native_median), shown(figure.virtual_median),
                      shown(figure.ratio.median), shown(figure.ratio.low), shown(figure.ratio.high),
                      shown(figure.noise.median), shown(figure.threshold),
                      std::string(msg::name_of(figure.verdict)), figure.reason});
  }
  return text;
}

std::string openmetrics_of(const msg::Certificate& certificate) {
  struct Value {
    const char* family;
    const char* help;
    double (*of)(const msg::Figure&);
  };
  constexpr auto values = std::to_array<Value>(
      {{"ratio", "Median of the results in the cluster by those on its hosts.",
        [](const msg::Figure& figure) { return figure.ratio.median; }},
       {"ratio_low", "Lower end of the ratio's 95 % confidence interval.",
        [](const msg::Figure& figure) { return figure.ratio.low; }},
       {"ratio_high", "Upper end of the ratio's 95 % confidence interval.",
        [](const msg::Figure& figure) { return figure.ratio.high; }},
       {"noise_ratio", "Median of native results by native results.",
        [](const msg::Figure& figure) { return figure.noise.median; }},
       {"within", "1 if the verdict is within the threshold.", [](const msg::Figure& figure) {
          return figure.verdict == msg::Verdict::within ? 1.0 : 0;
        }}});
  std::string text;
  for (const auto& [family, help, of] : values) {
    text += fmt::format(
        "# TYPE nucleus_certificate_{0} gauge\n# HELP nucleus_certificate_{0} {1}\n", family, help);
    for (const auto& figure : certificate.figures)
      if (has_ratio(figure))
        text += fmt::format(
            "nucleus_certificate_{}{{cluster=\"{}\",accelerator=\"{}\",measurement=\"{}\"}} {} "
            "{}\n",
            family, certificate.cluster_id.value, certificate.accelerator, figure.measurement,
            shown(of(figure)), certificate.ended_unix_s);
  }
  return text + "# EOF\n";
}

/// A report of ReFrame 4: value, reference, lower and upper limit, unit, result.
Json reframe_of(const msg::Certificate& certificate) {
  Json performance = Json::object();
  bool is_passed = true;
  for (const auto& figure : certificate.figures) {
    if (!has_ratio(figure)) continue;
    const bool is_within = figure.verdict == msg::Verdict::within;
    is_passed = is_passed && is_within;
    const bool is_larger = figure.direction == msg::Direction::larger;
    performance[fmt::format("nucleus:{}:{}", certificate.accelerator, figure.measurement)] =
        Json::array({figure.ratio.median, 1, is_larger ? Json(figure.threshold - 1) : Json(),
                     is_larger ? Json() : Json(figure.threshold - 1), "ratio",
                     is_within ? "pass" : "fail"});
  }
  const std::size_t failed = is_passed ? 0 : 1;
  const Json testcase{{"name", "NucleusOverhead"},
                      {"display_name", "NucleusOverhead %cluster=" + certificate.cluster_id.value},
                      {"system", "nucleus"},
                      {"partition", certificate.accelerator},
                      {"environ", "native"},
                      {"result", is_passed ? "pass" : "fail"},
                      {"job_completion_time_unix", certificate.ended_unix_s},
                      {"perfvalues", performance}};
  return {{"session_info",
           {{"data_version", "4.0"},
            {"uuid", certificate.certificate_id},
            {"time_start_unix", certificate.begun_unix_s},
            {"time_end_unix", certificate.ended_unix_s},
            {"num_cases", 1},
            {"num_failures", failed}}},
          {"runs", Json::array({{{"num_cases", 1},
                                 {"num_failures", failed},
                                 {"run_index", 0},
                                 {"testcases", Json::array({testcase})}}})}};
}

Json bencher_of(const msg::Certificate& certificate) {
  Json benchmarks = Json::object();
  for (const auto& figure : certificate.figures) {
    if (!has_ratio(figure)) continue;
    Json ratio{{"value", figure.ratio.median}};
    if (figure.ratio.low > 0) {
      ratio["lower_value"] = figure.ratio.low;
      ratio["upper_value"] = figure.ratio.high;
    }
    benchmarks[figure.measurement + "/" + certificate.accelerator] = {{"overhead-ratio", ratio}};
  }
  return benchmarks;
}

}  // namespace

std::optional<CertificateText> certificate_text(const msg::Certificate& certificate,
                                                const std::string& format) {
  if (format == "csv") return CertificateText{csv_of(certificate), "text/csv; charset=utf-8"};
  if (format == "openmetrics")
    return CertificateText{openmetrics_of(certificate),
                           "application/openmetrics-text; version=1.0.0; charset=utf-8"};
  if (format == "reframe")
    return CertificateText{reframe_of(certificate).dump() + "\n", "application/json"};
  if (format == "bencher")
    return CertificateText{bencher_of(certificate).dump() + "\n", "application/json"};
  return std::nullopt;
}

}  // namespace nucleus::gateway
