// v2: why a computeset, a node or a host is in its state.
#include "messages/explanations.hpp"

#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

namespace {

template <class Question>
void answer(const ExchangePtr& exchange, const Question& question) {
  exchange->ask(question, [exchange](const msg::Explanation& explanation) {
    reply_one(exchange, 200, json_of(explanation));
  });
}

void explain_computeset(const ExchangePtr& exchange) {
  const auto id = computeset_of_path(*exchange);
  if (!id) return exchange->refuse(id.error());
  answer(exchange,
         msg::ExplainComputeset{.computeset_id = *id, .viewer = msg::viewer_of(exchange->who)});
}

void explain_node(const ExchangePtr& exchange) {
  answer(exchange, msg::ExplainNode{.node = node_of_path(*exchange),
                                    .viewer = msg::viewer_of(exchange->who)});
}

void explain_host(const ExchangePtr& exchange) {
  answer(exchange, msg::ExplainHost{.host_id = {exchange->path["host"]}});
}

}  // namespace

void add_v2_explanation_routes(Router& router) {
  router.add("GET", "/v2/computesets/{id}/why", msg::Right::read, explain_computeset)
      .takes({"fields"});
  router.add("GET", "/v2/clusters/{cluster}/nodes/{node}/why", msg::Right::read, explain_node)
      .takes({"fields"});
  router.add("GET", "/v2/hosts/{host}/why", msg::Right::operate, explain_host).takes({"fields"});
}

}  // namespace nucleus::gateway
