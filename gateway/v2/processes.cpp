// v2: the health of the head's processes, as each of them reports it.
#include <array>

#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "messages/process.hpp"

namespace nucleus::gateway {

namespace {

constexpr core::Milliseconds process_timeout{1'000};
/// A host's provisioner is not among them: the state of its host tells.
constexpr std::array processes_asked{"registry", "scheduler", "network", "image_store",
                                     "console",  "overhead",  "gateway"};

struct ProcessesFound {
  std::array<msg::ProcessStatus, processes_asked.size()> statuses = {};
  std::size_t waiting = processes_asked.size();
};

void list_processes(const ExchangePtr& exchange) {
  auto found = std::make_shared<ProcessesFound>();
  for (std::size_t i = 0; i < processes_asked.size(); ++i)
    exchange->try_ask(msg::GetProcessStatus{},
                      [exchange, found, i](core::Result<msg::ProcessStatus> status) {
                        auto& shown = found->statuses.at(i);
                        if (status)
                          shown = std::move(*status);
                        else
                          shown = {.name = processes_asked.at(i), .reason = status.error().detail};
                        if (--found->waiting > 0) return;
                        exchange->reply(
                            200, Json{{"processes", json_of(std::vector(found->statuses.begin(),
                                                                        found->statuses.end()))}});
                      },
                      {.to = processes_asked.at(i), .deadline = process_timeout});
}

}  // namespace

void add_v2_process_routes(Router& router) {
  router.add("GET", "/v2/processes", msg::Right::operate, list_processes);
}

}  // namespace nucleus::gateway
