#include "client/command_table.hpp"

namespace nucleus::client {

namespace {

/// Each command that ends a line of words may say at which gateway.
void add_endpoint_option(CLI::App& app, std::string& endpoint) {
  const auto parts = commands_of(app);
  for (auto* part : parts) add_endpoint_option(*part, endpoint);
  if (parts.empty()) app.add_option("--endpoint", endpoint, "at this endpoint of the yaml file");
}

}  // namespace

std::unique_ptr<CLI::App> command_table(Chosen& chosen) {
  auto app = std::make_unique<CLI::App>("Virtual clusters: their command and its shell.");
  app->name("cm");
  app->require_subcommand(1);
  auto* comet = app->add_subcommand("comet", "virtual clusters: their nodes, power and images");
  comet->require_subcommand(1);
  add_endpoint(*comet, chosen);
  add_list(*comet, chosen.remote);
  add_cluster(*comet, chosen.remote);
  add_computeset(*comet, chosen.remote);
  add_power(*comet, chosen.remote);
  add_console(*comet, chosen.remote);
  add_node(*comet, chosen.remote);
  add_image(*comet, chosen.remote);
  add_endpoint_option(*comet, chosen.endpoint);
  add_shell_basics(*app, chosen);
  add_settings(*app, chosen);
  add_elsewhere(*app, chosen);
  return app;
}

std::vector<CLI::App*> commands_of(CLI::App& app) {
  return app.get_subcommands([](CLI::App* part) { return !part->get_name().empty(); });
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* part) { return !part->get_name().empty(); });
}

}  // namespace nucleus::client
