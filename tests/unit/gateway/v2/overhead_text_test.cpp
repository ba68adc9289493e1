// A certificate of overhead in the formats of other programs.
#include "gateway/v2/overhead_text.hpp"

#include <gtest/gtest.h>

#include "gateway/json/json.hpp"

namespace nucleus::gateway {
namespace {

msg::Certificate a_certificate() {
  return {.certificate_id = "0000000100-abcdef01",
          .cluster_id = {"c"},
          .ended_unix_s = 100,
          .accelerator = "tcg",
          .figures = {{.measurement = "mpi_latency",
                       .unit = "us",
                       .direction = msg::Direction::smaller,
                       .native = {1, 1},
                       .virtual_ = {2, 2},
                       .native_median = 1,
                       .virtual_median = 2,
                       .ratio = {.median = 2, .low = 1.9, .high = 2.1},
                       .threshold = 1.32,
                       .verdict = msg::Verdict::exceeded},
                      {.measurement = "mpi_bandwidth",
                       .unit = "MB/s",
                       .direction = msg::Direction::larger,
                       .ratio = {.median = 0.9},
                       .threshold = 0.826,
                       .verdict = msg::Verdict::within},
                      {.measurement = "random_read",
                       .verdict = msg::Verdict::refused,
                       .reason = "the cluster ran fio-3.33, the host fio-3.36"}}};
}

std::string text_in(const std::string& format) {
  const auto text = certificate_text(a_certificate(), format);
  EXPECT_TRUE(text) << format;
  return text ? text->text : "";
}

TEST(CertificateFormats, CsvHasEveryFigureWithItsReason) {
  const auto text = text_in("csv");
  EXPECT_NE(text.find("\n0000000100-abcdef01,c,100,tcg,mpi_latency,us,2,1,2,2,1.9,2.1,0,1.32,"
                      "exceeded,\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("refused,\"the cluster ran fio-3.33, the host fio-3.36\"\n"),
            std::string::npos);
}

TEST(CertificateFormats, OpenMetricsEndsWithEofAndHasEachFamilyOnce) {
  const auto text = text_in("openmetrics");
  EXPECT_TRUE(text.ends_with("# EOF\n"));
  EXPECT_NE(text.find("# TYPE nucleus_certificate_ratio gauge\n"), std::string::npos) << text;
  EXPECT_NE(text.find("nucleus_certificate_ratio{cluster=\"c\",accelerator=\"tcg\","
                      "measurement=\"mpi_latency\"} 2 100\n"),
            std::string::npos);
  EXPECT_EQ(text.find("random_read"), std::string::npos) << "it was refused";
}

TEST(CertificateFormats, ReframeHasAPerformanceValueForEachRatio) {
  const auto report = Json::parse(text_in("reframe"));
  const auto& testcase = report.at("runs").at(0).at("testcases").at(0);
  EXPECT_EQ(testcase.at("result"), "fail");
  const auto& values = testcase.at("perfvalues");
  EXPECT_EQ(values.size(), 2U);
  const auto& latency = values.at("nucleus:tcg:mpi_latency");
  EXPECT_EQ(latency.at(0), 2.0);
  EXPECT_TRUE(latency.at(2).is_null());
  EXPECT_NEAR(latency.at(3).get<double>(), 0.32, 1e-9);
  EXPECT_EQ(latency.at(5), "fail");
  EXPECT_EQ(values.at("nucleus:tcg:mpi_bandwidth").at(5), "pass");
  EXPECT_EQ(report.at("session_info").at("num_failures"), 1);
}

TEST(CertificateFormats, BencherHasBoundsOnlyIfThereIsAnInterval) {
  const auto metrics = Json::parse(text_in("bencher"));
  EXPECT_EQ(metrics.at("mpi_latency/tcg").at("overhead-ratio").at("upper_value"), 2.1);
  EXPECT_FALSE(metrics.at("mpi_bandwidth/tcg").at("overhead-ratio").contains("upper_value"));
}

TEST(CertificateFormats, AnotherFormatIsNone) {
  EXPECT_FALSE(certificate_text(a_certificate(), "xml"));
  EXPECT_FALSE(certificate_text(a_certificate(), ""));
}

}  // namespace
}  // namespace nucleus::gateway
