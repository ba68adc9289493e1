// v2: the acknowledgement of responsibility: its text, and who signed it for a project.
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void set_text(const ExchangePtr& exchange) {
  const auto body = body_as<msg::SetAcknowledgementText>(*exchange, {"text", "is_required"});
  if (!body) return exchange->refuse(body.error());
  if (!sets(*exchange, "text"))
    return exchange->refuse(core::ErrorCode::invalid_argument, "text must be set", "text");
  exchange->ask(*body, [exchange](const msg::AcknowledgementText& text) {
    reply_one(exchange, 200, json_of(text));
  });
}

void get_status(const ExchangePtr& exchange) {
  const msg::ProjectId project{exchange->path["project"]};
  if (!msg::sees(exchange->who, project))
    return exchange->refuse(ErrorCode::not_found, "no such project");
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  exchange->ask(msg::GetAcknowledgements{.project_id = project, .page = *page},
                [exchange](const msg::AcknowledgementStatus& status) {
                  reply_one(exchange, 200, json_of(status));
                });
}

void sign(const ExchangePtr& exchange) {
  const msg::ProjectId project{exchange->path["project"]};
  if (!msg::sees(exchange->who, project))
    return exchange->refuse(ErrorCode::not_found, "no such project");
  auto body = body_as<msg::SignAcknowledgement>(*exchange, {"version"});
  if (!body) return exchange->refuse(body.error());
  body->person_id = exchange->who.person_id;
  body->project_id = project;
  exchange->ask(*body, [exchange](const msg::Acknowledgement& signature) {
    reply_one(exchange, 201, json_of(signature));
  });
}

}  // namespace

void add_v2_acknowledgement_routes(Router& router) {
  router.add("PUT", "/v2/acknowledgement", msg::Right::operate, set_text);
  router.add("GET", "/v2/projects/{project}/acknowledgements", msg::Right::read, get_status)
      .takes_page();
  router.add("POST", "/v2/projects/{project}/acknowledgements", msg::Right::define, sign);
}

}  // namespace nucleus::gateway
