// The overhead service's messages: the cost of virtualization, measured with the same tools in a
// cluster and on its hosts.
#pragma once

#include <string>
#include <vector>

#include "messages/common.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::msg {

/// One measurement. A ratio is the cluster's result divided by the host's, 0..1e9; 1 = no overhead,
/// 0 = not measured.
struct OverheadReport {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::int64_t measured_unix_s = 0;
  ProbeResult mpi_cluster = {};     // between the first two active compute nodes
  ProbeResult mpi_host = {};        // likewise, on their host
  ProbeResult io_cluster = {};      // in the first of them
  ProbeResult io_host = {};         // likewise, on its host
  double mpi_latency_ratio = 0;     // above 1: the cluster is slower
  double mpi_bandwidth_ratio = 0;   // below 1: the cluster is slower
  double io_ratio = 0;              // below 1: the cluster is slower
  std::string failure = {};         // why the measurement failed; empty = it succeeded
  std::string certificate_id = {};  // of its certificate; empty = it has none. Since 1.3.
  std::string accelerator = {};     // kvm or tcg (software emulation). Since 1.3.
  NUCLEUS_FIELDS(cluster_id, project_id, measured_unix_s, mpi_cluster, mpi_host, io_cluster,
                 io_host, mpi_latency_ratio, mpi_bandwidth_ratio, io_ratio, failure, certificate_id,
                 accelerator);
};

/// within, exceeded: the interval of the ratio is narrow enough, and the ratio is or is not within
/// the threshold. undecided: it is not narrow enough. refused: the runs cannot be compared.
NUCLEUS_ENUM(Verdict, within, exceeded, undecided, refused)

/// A median of paired ratios and its confidence interval; low and high are 0 if there are too few
/// pairs for one.
struct Interval {
  double median = 0;
  double low = 0;
  double high = 0;
  NUCLEUS_FIELDS(median, low, high);
};

/// One figure of a certificate, with its raw samples: pair i is native[i] and virtual_[i], which
/// ran one after the other; noise_first[i] and noise_second[i] are a pair of native runs.
struct Figure {
  std::string measurement = {};
  std::string unit = {};
  Direction direction = Direction::unknown;
  FigureKind kind = FigureKind::unknown;
  std::vector<double> native = {};
  std::vector<double> virtual_ = {};
  std::vector<double> noise_first = {};
  std::vector<double> noise_second = {};
  double native_median = 0;
  double virtual_median = 0;
  Interval ratio = {};        // virtual divided by native
  Interval noise = {};        // native divided by native: the noise floor
  double confidence = 0;      // of each interval: 1 - 0.05 / the number of looks at the data
  double half_width_max = 0;  // relative, of the ratio's interval: wider is undecided
  double threshold = 0;       // of the ratio: at most, or at least if larger is better
  Verdict verdict = Verdict::unknown;
  std::string reason = {};  // of undecided and refused
  Conditions native_conditions = {};
  Conditions virtual_conditions = {};
  std::vector<Rank> native_ranks = {};
  std::vector<Rank> virtual_ranks = {};
  NUCLEUS_FIELDS(measurement, unit, direction, kind, native, virtual_, noise_first, noise_second,
                 native_median, virtual_median, ratio, noise, confidence, half_width_max, threshold,
                 verdict, reason, native_conditions, virtual_conditions, native_ranks,
                 virtual_ranks);
};

/// What was measured of a cluster, when and where. Texts are printable ASCII.
struct Certificate {
  std::string certificate_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::int64_t begun_unix_s = 0;
  std::int64_t ended_unix_s = 0;
  std::vector<HostId> hosts = {};       // of the nodes, in their order
  std::vector<std::string> nodes = {};  // names
  bool is_single_host = false;          // all nodes are on one host
  bool is_single_machine = false;       // the hosts share one machine, as in a rack of namespaces
  std::string accelerator = {};         // kvm or tcg (software emulation)
  std::vector<Figure> figures = {};
  std::uint32_t pairs_max = 0;  // verdicts are given at 8, 16, 32 … and at this many pairs
  std::string failure = {};     // why nothing was measured; empty = it succeeded
  std::string public_key = {};  // Ed25519, hexadecimal; empty = not signed
  std::string signature = {};   // of the canonical text, hexadecimal
  NUCLEUS_FIELDS(certificate_id, cluster_id, project_id, begun_unix_s, ended_unix_s, hosts, nodes,
                 is_single_host, is_single_machine, accelerator, figures, pairs_max, failure,
                 public_key, signature);
};

/// Measures a cluster with at least two active compute nodes. The reply means accepted;
/// OverheadMeasured is emitted when the measurement has ended.
struct MeasureCluster {
  static constexpr std::string_view topic = "overhead.measure-cluster";
  using Reply = Done;
  ClusterId cluster_id = {};
  std::uint32_t seconds_max =
      0;  // 0..86400; no new runs after this long; 0 = the setting. Since 1.3
  std::vector<std::string> tools = {};  // names of messages/measurements.hpp, in turns, each once;
                                        // empty = the setting
  NUCLEUS_FIELDS(cluster_id, seconds_max, tools);
};

constexpr std::uint32_t measure_seconds_max = 86'400;

inline std::optional<Error> check(const MeasureCluster& request) {
  if (auto broken = check_name("cluster_id", request.cluster_id.value)) return broken;
  if (request.seconds_max > measure_seconds_max)
    return invalid("seconds_max", "seconds_max must be 0 to 86400");
  for (auto tool = request.tools.begin(); tool != request.tools.end(); ++tool) {
    if (!find_tool(*tool)) return invalid("tools", "no such tool: " + shown(*tool));
    if (std::find(request.tools.begin(), tool, *tool) != tool)
      return invalid("tools", "tools has " + *tool + " twice");
  }
  return std::nullopt;
}

/// The cluster's last report; `not_found` if it was never measured.
struct GetReport {
  static constexpr std::string_view topic = "overhead.get-report";
  using Reply = OverheadReport;
  ClusterId cluster_id = {};
  NUCLEUS_FIELDS(cluster_id);
};

/// A certificate of the cluster; `not_found` if there is none with this id.
struct GetCertificate {
  static constexpr std::string_view topic = "overhead.get-certificate";
  using Reply = Certificate;
  ClusterId cluster_id = {};
  std::string certificate_id = {};  // empty = the newest
  NUCLEUS_FIELDS(cluster_id, certificate_id);
};

/// A figure of a list of certificates.
struct FigureSummary {
  std::string measurement = {};
  Interval ratio = {};
  Verdict verdict = Verdict::unknown;
  NUCLEUS_FIELDS(measurement, ratio, verdict);
};

/// A certificate in a list: without samples.
struct CertificateSummary {
  std::string certificate_id = {};
  std::int64_t ended_unix_s = 0;
  std::string accelerator = {};
  std::string failure = {};
  std::vector<FigureSummary> figures = {};
  NUCLEUS_FIELDS(certificate_id, ended_unix_s, accelerator, failure, figures);
};

/// Newest first.
struct Certificates {
  std::vector<CertificateSummary> certificates = {};
  std::string next = {};  // cursor; empty = the last page
  NUCLEUS_FIELDS(certificates, next);
};

/// The certificates of a cluster that are kept.
struct ListCertificates {
  static constexpr std::string_view topic = "overhead.list-certificates";
  using Reply = Certificates;
  ClusterId cluster_id = {};
  Page page = {};
  NUCLEUS_FIELDS(cluster_id, page);
};

/// The key that certificates are signed with.
struct SigningKey {
  std::string algorithm = {};   // ed25519; empty = certificates are not signed
  std::string public_key = {};  // 32 bytes, hexadecimal
  NUCLEUS_FIELDS(algorithm, public_key);
};

struct GetSigningKey {
  static constexpr std::string_view topic = "overhead.get-signing-key";
  using Reply = SigningKey;
  NUCLEUS_NO_FIELDS()
};

/// Event: a measurement succeeded or failed.
struct OverheadMeasured {
  static constexpr std::string_view topic = "overhead.measured";
  OverheadReport report = {};
  NUCLEUS_FIELDS(report);
};

/// A node of a links report, and where its rank ran.
struct LinkNode {
  std::string name = {};
  HostId host_id = {};
  Rank rank = {};
  NUCLEUS_FIELDS(name, host_id, rank);
};

/// The link between two nodes.
struct Link {
  std::string first = {};
  std::string second = {};
  double latency_us = 0;      // half a round trip of 8 bytes
  double bandwidth_mb_s = 0;  // of messages of 1 MiB
  bool is_same_host = false;  // the nodes are on one host, or their ranks report one machine
  bool is_slow = false;
  NUCLEUS_FIELDS(first, second, latency_us, bandwidth_mb_s, is_same_host, is_slow);
};

/// The links between all active compute nodes of a cluster. A link is slow if its latency is above
/// the median of all links, or its bandwidth below it, by more than the factor slow_permille.
struct LinksReport {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::int64_t measured_unix_s = 0;
  std::vector<LinkNode> nodes = {};  // 2..64
  std::vector<Link> links = {};      // each pair of nodes once, up to 2016
  double latency_us_median = 0;
  double bandwidth_mb_s_median = 0;
  std::uint32_t slow_permille = 0;  // 1500: slow above 1.5 times the median
  std::string shared_node = {};     // that all slow links have, if there are two or more
  Conditions conditions = {};       // of the first node
  std::string failure = {};         // why the run failed; empty = it succeeded
  NUCLEUS_FIELDS(cluster_id, project_id, measured_unix_s, nodes, links, latency_us_median,
                 bandwidth_mb_s_median, slow_permille, shared_node, conditions, failure);
};

/// Measures the links between all active compute nodes of a cluster, 2..64. The reply means
/// accepted; LinksMeasured is emitted when the run has ended.
struct MeasureLinks {
  static constexpr std::string_view topic = "overhead.measure-links";
  using Reply = Done;
  ClusterId cluster_id = {};
  NUCLEUS_FIELDS(cluster_id);
};

inline std::optional<Error> check(const MeasureLinks& request) {
  return check_name("cluster_id", request.cluster_id.value);
}

/// The cluster's last report; `not_found` if its links were never measured.
struct GetLinks {
  static constexpr std::string_view topic = "overhead.get-links";
  using Reply = LinksReport;
  ClusterId cluster_id = {};
  NUCLEUS_FIELDS(cluster_id);
};

/// Event: a run over the links of a cluster succeeded or failed.
struct LinksMeasured {
  static constexpr std::string_view topic = "overhead.links-measured";
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::uint32_t links = 0;       // that were measured
  std::uint32_t slow_links = 0;  // how many of them are slow
  std::string shared_node = {};  // that all slow links have, if there are two or more
  std::string failure = {};      // why the run failed; empty = it succeeded
  NUCLEUS_FIELDS(cluster_id, project_id, links, slow_links, shared_node, failure);
};

}  // namespace nucleus::msg
