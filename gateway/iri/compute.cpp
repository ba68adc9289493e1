// IRI API: jobs on the caller's clusters.
#include <algorithm>

#include "gateway/iri/job.hpp"
#include "gateway/iri/query.hpp"
#include "gateway/iri/resources.hpp"
#include "gateway/json/numbers.hpp"
#include "gateway/routing/lookups.hpp"
#include "gateway/routing/pages.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void list_compute_resources(const ExchangePtr& exchange, const IriSite& site) {
  if (const auto query = read_iri_query(exchange->request, {}); !query)
    return exchange->refuse(query.error());
  with_iri_resources(exchange, site, {}, [exchange](Json resources) {
    std::erase_if(resources.get_ref<Json::array_t&>(),
                  [](const Json& resource) { return resource.at("resource_type") != "compute"; });
    exchange->reply(200, resources);
  });
}

/// Makes the change as the caller, and answers with the job. Errors name fields of the JobSpec.
template <class Change>
void change_job(const ExchangePtr& exchange, Change change) {
  change.viewer = msg::viewer_of(exchange->who);
  exchange->try_ask(change, [exchange](const core::Result<msg::Computeset>& set) {
    if (set) return exchange->reply(200, job_json(*set, false));
    auto error = set.error();
    error.field = job_field(error.field);
    exchange->refuse(error);
  });
}

core::Result<JobSpec> spec_of(const Exchange& exchange) {
  if (const auto query = read_iri_query(exchange.request, {}); !query)
    return std::unexpected(query.error());
  const auto body = parse_object(exchange.request.body);
  return body ? read_job_spec(*body) : std::unexpected(body.error());
}

void submit_job(const ExchangePtr& exchange) {
  const auto spec = spec_of(*exchange);
  if (!spec) return exchange->refuse(spec.error());
  auto start = start_of(*spec);
  start.cluster_id = {exchange->path["resource_id"]};
  start.person_id = exchange->who.person_id;
  change_job(exchange, std::move(start));
}

/// The job of the path. One of another resource than the path's does not exist.
void with_job(const ExchangePtr& exchange, std::function<void(const msg::Computeset&)> next) {
  const auto id = whole_number<msg::ComputesetId>(exchange->path.at("job_id"));
  if (!id || *id < 1) return exchange->refuse(ErrorCode::not_found, "no such job");
  exchange->ask(
      msg::ListComputesets{.viewer = msg::viewer_of(exchange->who), .computeset_id = *id},
      [exchange, next = std::move(next)](const msg::Computesets& found) {
        const auto& sets = found.computesets;
        if (sets.empty() || sets.front().cluster_id.value != exchange->path.at("resource_id"))
          return exchange->refuse(ErrorCode::not_found, "no such job");
        next(sets.front());
      });
}

void update_job(const ExchangePtr& exchange) {
  auto spec = spec_of(*exchange);
  with_job(exchange, [exchange, spec = std::move(spec)](const msg::Computeset& set) {
    if (!spec) return exchange->refuse(spec.error());
    const auto change = change_of(*spec, set);
    if (!change) return exchange->refuse(change.error());
    change_job(exchange, *change);
  });
}

void cancel_job(const ExchangePtr& exchange) {
  if (const auto query = read_iri_query(exchange->request, {}); !query)
    return exchange->refuse(query.error());
  with_job(exchange, [exchange](const msg::Computeset& set) {
    exchange->ask(msg::PowerComputeset{.computeset_id = set.computeset_id,
                                       .viewer = msg::viewer_of(exchange->who),
                                       .action = msg::PowerAction::shutdown},
                  [exchange](const msg::Computeset&) { exchange->reply_nothing(); });
  });
}

void get_job(const ExchangePtr& exchange) {
  const auto query = read_iri_query(exchange->request, {"historical", "include_spec"});
  if (!query) return exchange->refuse(query.error());
  with_job(exchange, [exchange, query = *query](const msg::Computeset& set) {
    if (is_final(set.state) && !query.flag("historical", true))
      return exchange->refuse(ErrorCode::not_found, "the job has ended");
    exchange->reply(200, job_json(set, query.flag("include_spec", false)));
  });
}

/// A list of jobs that is being read.
struct JobWindow {
  msg::ListComputesets request = {};
  std::string account = {};
  IriQuery query = {};
  std::size_t skipped = 0;
  Json jobs = Json::array();
  std::size_t pages_left = pages_max;

  bool is_full() const { return jobs.size() >= query.limit; }
  void add(const msg::Computeset& set) {
    if (is_full() || (!account.empty() && set.allocation_id.value != account)) return;
    if (skipped < query.offset)
      ++skipped;
    else
      jobs.push_back(job_json(set, query.flag("include_spec", false)));
  }
};

/// Reads page after page until the window is full.
void gather_jobs(const ExchangePtr& exchange, const std::shared_ptr<JobWindow>& window) {
  exchange->ask(window->request, [exchange, window](const msg::Computesets& page) {
    for (const auto& set : page.computesets) window->add(set);
    if (page.next.empty() || window->is_full()) return exchange->reply(200, window->jobs);
    if (--window->pages_left == 0)
      return exchange->refuse(ErrorCode::internal, "a list has more pages than an answer");
    window->request.page.after = page.next;
    gather_jobs(exchange, window);
  });
}

/// Enough for the window, unless jobs of other accounts are left out.
std::uint32_t page_limit(const IriQuery& query) {
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(query.offset + query.limit, msg::page_entries_max));
}

void list_jobs(const ExchangePtr& exchange) {
  const auto query =
      read_iri_query(exchange->request, {"offset", "limit", "historical", "include_spec"});
  if (!query) return exchange->refuse(query.error());
  const auto filter = read_job_filter(exchange->request.body, query->flag("historical", false));
  if (!filter) return exchange->refuse(filter.error());
  const msg::ClusterId cluster{exchange->path["resource_id"]};
  with_cluster(exchange, cluster, [=](const msg::Cluster&) {
    const auto window = std::make_shared<JobWindow>();
    window->account = filter->account;
    window->query = *query;
    const bool is_empty = query->limit == 0 || (filter->states && filter->states->empty());
    if (is_empty) return exchange->reply(200, window->jobs);
    window->request = {.viewer = msg::viewer_of(exchange->who),
                       .states = filter->states.value_or(std::vector<msg::ComputesetState>{}),
                       .cluster_id = cluster,
                       .page = {.limit = page_limit(*query)}};
    gather_jobs(exchange, window);
  });
}

}  // namespace

void add_iri_compute_routes(Router& router, const IriSite& site) {
  router.add_open("/api/v1/compute/resources",
                  [site](const ExchangePtr& exchange) { list_compute_resources(exchange, site); });
  router.add("POST", "/api/v1/compute/job/{resource_id}", msg::Right::power, submit_job);
  router.add("PUT", "/api/v1/compute/job/{resource_id}/{job_id}", msg::Right::power, update_job);
  router.add("GET", "/api/v1/compute/status/{resource_id}/{job_id}", msg::Right::read, get_job);
  router.add("POST", "/api/v1/compute/status/{resource_id}", msg::Right::read, list_jobs);
  router.add("DELETE", "/api/v1/compute/cancel/{resource_id}/{job_id}", msg::Right::power,
             cancel_job);
}

}  // namespace nucleus::gateway
