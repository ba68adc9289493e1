// v2: the overhead of virtualization in a cluster, its certificates and the key that signs them;
// and the links between the nodes of a cluster.
#include "messages/overhead.hpp"

#include "gateway/v2/overhead_text.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

namespace {

void measure_overhead(const ExchangePtr& exchange) {
  const auto request = body_as<msg::MeasureCluster>(*exchange, {"seconds_max", "tools"});
  if (!request) return exchange->refuse(request.error());
  with_cluster(exchange, [exchange, request = *request](const msg::Cluster& cluster) mutable {
    request.cluster_id = cluster.cluster_id;
    exchange->ask(request, [exchange](const msg::Done&) { exchange->reply(202, Json::object()); });
  });
}

void get_overhead(const ExchangePtr& exchange) {
  with_cluster(exchange, [exchange](const msg::Cluster& cluster) {
    exchange->ask(
        msg::GetReport{.cluster_id = cluster.cluster_id},
        [exchange](const msg::OverheadReport& report) { exchange->reply(200, json_of(report)); });
  });
}

void list_certificates(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  with_cluster(exchange, [exchange, page = *page](const msg::Cluster& cluster) {
    exchange->ask(msg::ListCertificates{.cluster_id = cluster.cluster_id, .page = page},
                  [exchange](const msg::Certificates& found) {
                    reply_list(exchange, "certificates", found.certificates, found.next);
                  });
  });
}

void get_certificate(const ExchangePtr& exchange) {
  const auto format = exchange->request.query_value("format");
  if (!format.empty() && format != "json" && !certificate_text({}, format))
    return exchange->refuse(core::ErrorCode::invalid_argument,
                            "format must be json, csv, openmetrics, reframe or bencher", "format");
  with_cluster(exchange, [exchange, format](const msg::Cluster& cluster) {
    const auto id = exchange->path["certificate"];
    exchange->ask(msg::GetCertificate{.cluster_id = cluster.cluster_id,
                                      .certificate_id = id == "latest" ? "" : id},
                  [exchange, format](const msg::Certificate& certificate) {
                    if (const auto text = certificate_text(certificate, format))
                      return exchange->reply_text(200, text->text, text->type);
                    reply_one(exchange, 200, json_of(certificate));
                  });
  });
}

void measure_links(const ExchangePtr& exchange) {
  if (const auto body = read_body(*exchange, {}); !body) return exchange->refuse(body.error());
  with_cluster(exchange, [exchange](const msg::Cluster& cluster) {
    exchange->ask(msg::MeasureLinks{.cluster_id = cluster.cluster_id},
                  [exchange](const msg::Done&) { exchange->reply(202, Json::object()); });
  });
}

void get_links(const ExchangePtr& exchange) {
  with_cluster(exchange, [exchange](const msg::Cluster& cluster) {
    exchange->ask(
        msg::GetLinks{.cluster_id = cluster.cluster_id},
        [exchange](const msg::LinksReport& report) { exchange->reply(200, json_of(report)); });
  });
}

void get_signing_key(const ExchangePtr& exchange) {
  exchange->ask(msg::GetSigningKey{},
                [exchange](const msg::SigningKey& key) { exchange->reply(200, json_of(key)); });
}

}  // namespace

void add_v2_overhead_routes(Router& router) {
  const std::string overhead = "/v2/clusters/{cluster}/overhead";
  router.add("GET", overhead, msg::Right::read, get_overhead).takes({"fields"});
  router.add("POST", overhead, msg::Right::power, measure_overhead);
  router.add("GET", overhead + "/certificates", msg::Right::read, list_certificates).takes_page();
  router.add("GET", overhead + "/certificates/{certificate}", msg::Right::read, get_certificate)
      .takes({"format"});
  const std::string links = "/v2/clusters/{cluster}/overhead/links";
  router.add("GET", links, msg::Right::read, get_links).takes({"fields"});
  router.add("POST", links, msg::Right::power, measure_links);
  router.add("GET", "/v2/overhead/key", msg::Right::read, get_signing_key);
}

}  // namespace nucleus::gateway
