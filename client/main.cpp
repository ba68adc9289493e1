// cm: the admin's command; `comet …` is `cm comet …`. Exit code 1 = it failed, 2 = asked wrongly.
#include <curl/curl.h>

#include <filesystem>
#include <iostream>

#include "client/commands/commands.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  const bool is_comet = std::filesystem::path(argv[0]).filename() == "comet";
  CLI::App app{"Virtual clusters."};
  app.name(is_comet ? "comet" : "cm");
  app.require_subcommand(1);
  CLI::App& comet =
      is_comet ? app : *app.add_subcommand("comet", "virtual clusters")->require_subcommand(1);
  client::Action chosen;
  client::add_list(comet, chosen);
  client::add_cluster(comet, chosen);
  client::add_computeset(comet, chosen);
  client::add_power(comet, chosen);
  client::add_console(comet, chosen);
  client::add_node(comet, chosen);
  client::add_image(comet, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  auto endpoint = client::Endpoint::from_environment();
  const auto done = endpoint ? chosen(client::Api(std::move(*endpoint)))
                             : core::Result<int>(std::unexpected(endpoint.error()));
  if (done) return *done;
  std::cerr << app.get_name() << ": " << done.error().detail << "\n";
  return done.error().code == core::ErrorCode::invalid_argument ? 2 : 1;
}
