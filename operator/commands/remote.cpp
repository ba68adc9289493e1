// nucleus keys and bootstrap: for deployments whose processes are run by containers or systemd.
#include <algorithm>
#include <iostream>
#include <string_view>

#include "messages/process.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"
#include "operator/first_start.hpp"
#include "operator/keys.hpp"
#include "operator/termination.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

namespace {

constexpr core::Milliseconds registry_timeout{60'000};

struct KeysArguments {
  std::string directory = {};
  std::vector<std::string> provisioners = {};
  HeadPlaces head = {};
};

core::Result<int> create_keys(const KeysArguments& arguments) {
  if (auto made = make_keys(arguments.directory, arguments.provisioners, arguments.head); !made)
    return std::unexpected(made.error());
  for (const auto& rights : process_rights(arguments.provisioners))
    std::cout << arguments.directory << "/" << key_folder(rights.name) << "\n";
  return 0;
}

struct BootstrapArguments {
  std::string state = {};
  bool is_staying = false;
  Endpoints endpoints = {};
};

bool has_scheme(const std::string& url, std::initializer_list<std::string_view> schemes) {
  return std::ranges::any_of(schemes, [&](std::string_view scheme) {
    return url.starts_with(scheme) && url.size() > scheme.size();
  });
}

core::Result<int> bootstrap(const BootstrapArguments& arguments) {
  if (!has_scheme(arguments.endpoints.url, {"http://", "https://"}))
    return std::unexpected(msg::invalid("url", "--url must begin with http:// or https://"));
  if (!has_scheme(arguments.endpoints.events_url, {"tcp://"}))
    return std::unexpected(msg::invalid("events", "--events must begin with tcp://"));
  const StateDirectory state(arguments.state);
  if (!state.is_remote())
    return core::refuse(core::ErrorCode::invalid_argument,
                        state.root() + " contains no key for a bus; create one with nucleus keys",
                        "state");
  const auto subscriber = read_text_map(state.file("subscriber.yaml"));
  if (!subscriber) return std::unexpected(subscriber.error());
  if (arguments.is_staying) hold_termination();
  Endpoints endpoints = arguments.endpoints;
  endpoints.curve = {.server_public = text_of(*subscriber, "server_key"),
                     .admin_public = text_of(*subscriber, "public_key"),
                     .admin_secret = text_of(*subscriber, "secret_key")};
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  // The registry may still be starting.
  const auto registry =
      (*opened)->call(msg::Ping{}, {.to = "registry", .deadline = registry_timeout});
  if (!registry) return std::unexpected(registry.error());
  if (auto created = create_first_accounts(state, endpoints, **opened); !created)
    return std::unexpected(created.error());
  std::cout << "project demo, its admin and an operator exist\n  . " << state.root() << "/env"
            << std::endl;
  if (arguments.is_staying) await_termination();
  return 0;
}

}  // namespace

void add_keys(Commands& commands) {
  commands.add<KeysArguments>(
      "keys", "create the keys of processes in containers or on other machines", create_keys,
      [](CommandOptions& options, KeysArguments& arguments) {
        options.add("DIRECTORY", arguments.directory, "gets a subdirectory for each process")
            .required();
        options.add("--provisioner", arguments.provisioners, "name of a host; may be repeated")
            .name();
        auto console = options.add("--console", arguments.head.console,
                                   "NAME:PORT of the console service for hosts; creates the CA and "
                                   "certificates, too");
        auto image_store = options.add("--image-store", arguments.head.image_store,
                                       "NAME:PORT of the image store for hosts");
        console.needs(image_store);
        image_store.needs(console);
        options
            .add("--head-address", arguments.head.others,
                 "another address at which hosts reach the head; may be repeated")
            .needs(console);
      });
}

void add_bootstrap(Commands& commands) {
  commands.add<BootstrapArguments>(
      "bootstrap", "create project demo, its admin, an operator and DIR/env, as `up` does",
      bootstrap, [](CommandOptions& options, BootstrapArguments& arguments) {
        options.state(arguments.state);
        options.add("--url", arguments.endpoints.url, "URL of the gateway, as clients use it")
            .required();
        options.add("--events", arguments.endpoints.events_url, "URL of the bus, for subscribers")
            .required();
        options.flag("--stay", arguments.is_staying,
                     "then wait for SIGTERM, so that commands can be run in this container");
      });
}

}  // namespace nucleus::operator_
