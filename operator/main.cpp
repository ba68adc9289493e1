// nucleus: the operator's command. Exit code 1 = it failed, 2 = it was asked wrongly.
#include <curl/curl.h>

#include <iostream>

#include "operator/commands/commands.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  CLI::App app{"Nucleus: virtual clusters on your own machines."};
  app.name("nucleus");
  app.set_version_flag("--version", "nucleus " NUCLEUS_VERSION);
  app.require_subcommand(1);
  op::Action chosen;
  op::add_up(app, chosen);
  op::add_down(app, chosen);
  op::add_status(app, chosen);
  op::add_doctor(app, chosen);
  op::add_cluster(app, chosen);
  op::add_person(app, chosen);
  op::add_image(app, chosen);
  op::add_host(app, chosen);
  op::add_process(app, chosen);
  op::add_keys(app, chosen);
  op::add_begin(app, chosen);
  op::add_supervise(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const auto done = chosen();
  if (done) return *done;
  std::cerr << "nucleus: " << done.error().detail << "\n";
  return done.error().code == core::ErrorCode::invalid_argument ? 2 : 1;
}
