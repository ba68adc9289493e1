// init and active.
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/config/yaml_file.hpp"
#include "client/http/url.hpp"

namespace nucleus::client {

using core::ErrorCode;

core::Result<int> init_endpoint(Session&, const Words&) {
  if (!is_input_terminal())
    return core::refuse(ErrorCode::invalid_argument,
                        "comet init asks questions: run it at a terminal");
  const auto known = Endpoints::read();
  if (!known) return std::unexpected(known.error());
  const auto gave_up = core::refuse(ErrorCode::invalid_argument, "cancelled: nothing was changed");
  const char* user = std::getenv("USER");
  const auto username = ask("Username", !known->username.empty() ? known->username
                                        : user                   ? user
                                                                 : "");
  if (!username || username->empty()) return gave_up;
  for (const auto& endpoint : known->all)
    std::cout << "  " << endpoint.name << "\t" << endpoint.url << "\n";
  const auto name = ask("Endpoint", known->active.empty() ? "nucleus" : known->active);
  if (!name) return gave_up;
  Endpoint endpoint = known->named(*name).value_or(Endpoint{.name = *name});
  const auto url = ask("Base URL", endpoint.url.empty() ? "" : endpoint.url + "/nucleus");
  if (!url) return gave_up;
  const auto base = parse_base_url(*url);
  if (!base) return std::unexpected(base.error());
  const auto version = ask("API version", "v1");
  if (!version || *version != "v1")
    return core::refuse(ErrorCode::invalid_argument, "the API version must be v1");
  const auto password = ask_secret("Password of " + *username);
  if (!password) return gave_up;

  endpoint.url = without_api_path(*base);
  const auto key = Api(endpoint).get_as("/nucleus/getkey", *username, *password);
  if (!key) return std::unexpected(key.error());
  endpoint.key_name = (*key)["key_name"].text();
  endpoint.key_secret = (*key)["key"].text();
  if (endpoint.key_name.empty() || endpoint.key_secret.empty())
    return core::refuse(ErrorCode::internal, "the server returned no key");
  if (auto written = write_endpoint(*username, endpoint); !written)
    return std::unexpected(written.error());
  std::cout << "Endpoint " << endpoint.name << " is active; its key is in " << configuration_file()
            << "\n";
  return 0;
}

core::Result<int> choose_active(Session&, const Words& words) {
  const auto name = words["ENDPOINT"];
  const auto known = Endpoints::read();
  if (!known) return std::unexpected(known.error());
  if (!name.empty()) {
    if (auto found = known->named(name); !found) return std::unexpected(found.error());
    if (auto written = write_active(name); !written) return std::unexpected(written.error());
  }
  const std::string& chosen = name.empty() ? known->active : name;
  if (known->all.empty()) std::cout << "no endpoint: run comet init\n";
  for (const auto& endpoint : known->all)
    std::cout << (endpoint.name == chosen ? "* " : "  ") << endpoint.name << "\t" << endpoint.url
              << "\n";
  return 0;
}

}  // namespace nucleus::client
