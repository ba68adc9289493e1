// key: SSH public keys stored by name, from files, the yaml file or a git host; and tokens of the
// server.
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/config/yaml_file.hpp"
#include "client/http/url.hpp"
#include "client/shell/line.hpp"
#include "client/shell/shell.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr std::size_t key_bytes_max = 64 * 1024;

struct PublicKey {
  std::string name = {};
  std::string text = {};
  std::string source = {};
};

/// The first line, which must be a public key: type, base64 and comment. `source` is for errors.
core::Result<std::string> public_key_of(const std::string& text, const std::string& source) {
  std::string line = text.substr(0, text.find('\n'));
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
  const auto fields = split_words(line);
  const bool is_printable = std::ranges::none_of(
      line, [](char c) { return std::iscntrl(static_cast<unsigned char>(c)) && c != '\t'; });
  const bool is_key = is_printable && fields.size() >= 2 &&
                      (fields[0].starts_with("ssh-") || fields[0].starts_with("ecdsa-") ||
                       fields[0].starts_with("sk-"));
  if (is_key) return line;
  return core::refuse(ErrorCode::invalid_argument,
                      source + (text.find("PRIVATE KEY") == std::string::npos
                                    ? " is not a public key"
                                    : " is a private key: use its .pub file"));
}

std::string expanded(const std::string& path) {
  return path.starts_with("~/") ? home_folder() + path.substr(1) : path;
}

core::Result<PublicKey> key_in_file(const std::string& name, const std::string& file_name,
                                    const std::string& source) {
  const auto path = expanded(file_name);
  std::ifstream file(path);
  std::string text(key_bytes_max, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty()) return core::refuse(ErrorCode::not_found, "cannot read " + path);
  const auto key = public_key_of(text, path);
  if (!key) return std::unexpected(key.error());
  return PublicKey{.name = name, .text = *key, .source = source};
}

std::vector<PublicKey> keys_of_ssh() {
  std::vector<PublicKey> keys;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(expanded("~/.ssh"), error)) {
    if (entry.path().extension() != ".pub") continue;
    if (auto key = key_in_file(entry.path().stem().string(), entry.path().string(), "ssh"))
      keys.push_back(std::move(*key));
  }
  std::ranges::sort(keys, {}, &PublicKey::name);
  return keys;
}

std::vector<PublicKey> keys_of_yaml() {
  std::vector<PublicKey> keys;
  for (const auto& [name, value] : yaml_entries("cloudmesh.keys.keylist")) {
    auto key = core::Result<PublicKey>(PublicKey{.name = name, .text = value, .source = "yaml"});
    if (!public_key_of(value, name)) key = key_in_file(name, value, "yaml");
    if (key) keys.push_back(std::move(*key));
  }
  return keys;
}

/// The keys that a git host publishes for an account, one per line. The host is that of
/// `default git_url=URL`, or GitHub.
core::Result<std::vector<PublicKey>> keys_of_git(Session& session, const std::string& person) {
  if (person.empty())
    return core::refuse(ErrorCode::invalid_argument, "name the account with --username or --git");
  auto base = session.setting("git_url");
  if (base.empty()) base = "https://github.com";
  const auto keys_text = Api({.url = base}).get_public("/" + encoded(person) + ".keys");
  if (!keys_text) return std::unexpected(keys_text.error());
  std::vector<PublicKey> keys;
  for (std::size_t begin = 0; begin < keys_text->size();) {
    const auto end = std::min(keys_text->find('\n', begin), keys_text->size());
    if (auto key = public_key_of(keys_text->substr(begin, end - begin), base))
      keys.push_back({.name = person + "-" + std::to_string(keys.size() + 1),
                      .text = std::move(*key),
                      .source = "git"});
    begin = end + 1;
  }
  return keys;
}

core::Result<int> store_keys(Session& session, const std::vector<PublicKey>& keys) {
  if (keys.empty()) return core::refuse(ErrorCode::not_found, "no public key was found");
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  for (const auto& key : keys) {
    if (auto broken = msg::check_name("key", key.name)) return std::unexpected(*broken);
    const auto stored = (*copy)->query("insert or replace into ssh_key values(?, ?, ?)",
                                       {key.name, key.text, key.source});
    if (!stored) return std::unexpected(stored.error());
    std::cout << "key " << key.name << " stored\n";
  }
  return 0;
}

core::Result<int> list_tokens(const Api& api, const Words& words) {
  const auto tokens = api.get_all("/v2/me/tokens", "tokens");
  if (!tokens) return std::unexpected(tokens.error());
  Listing listing{.columns = {"id", "label", "rights"}};
  for (const auto& token : tokens->items()) {
    std::string rights;
    for (const auto& right : token["rights"].items())
      rights += (rights.empty() ? "" : ",") + right.text();
    listing.rows.push_back({token["token_id"].text(), token["label"].text(), rights});
  }
  return print(listing, words["--format"], *tokens);
}

core::Result<int> issue_token(const Api& api, const Words& words) {
  const auto token = api.post("/v2/me/tokens", Json::object({{"label", words["KEY"]}}));
  if (!token) return std::unexpected(token.error());
  std::cout << (*token)["token"].text() << "\n";
  return 0;
}

/// Revokes the token whose label or id is KEY.
core::Result<int> revoke_token(const Api& api, const Words& words) {
  const auto tokens = api.get_all("/v2/me/tokens", "tokens");
  if (!tokens) return std::unexpected(tokens.error());
  for (const auto& token : tokens->items()) {
    const auto id = token["token_id"].text();
    if (token["label"].text() != words["KEY"] && id != words["KEY"]) continue;
    if (auto revoked = api.remove("/v2/me/tokens/" + encoded(id)); !revoked)
      return std::unexpected(revoked.error());
    return 0;
  }
  return core::refuse(ErrorCode::not_found, "no such token: " + msg::shown(words["KEY"]));
}

/// The stored key of that name; the default key if `name` is empty.
core::Result<PublicKey> stored_key(Session& session, std::string name) {
  if (name.empty()) name = session.setting("key");
  if (name.empty())
    return core::refuse(ErrorCode::invalid_argument, "KEY is missing and no default key is set");
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  const auto rows =
      (*copy)->query("select name, value, source from ssh_key where name = ?", {name});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return core::refuse(ErrorCode::not_found, "no such key: " + msg::shown(name));
  return PublicKey{.name = (*rows)[0][0], .text = (*rows)[0][1], .source = (*rows)[0][2]};
}

}  // namespace

core::Result<int> list_keys(Session& session, const Words& words) {
  const auto source = words["--source"];
  std::vector<PublicKey> keys;
  if (source == "api") return run_at_server(list_tokens, session, words);
  if (source == "ssh") {
    keys = keys_of_ssh();
  } else if (source == "yaml") {
    keys = keys_of_yaml();
  } else if (source == "git") {
    auto found = keys_of_git(session, words["--username"]);
    if (!found) return std::unexpected(found.error());
    keys = std::move(*found);
  } else if (source == "db") {
    const auto copy = session.copy();
    if (!copy) return std::unexpected(copy.error());
    const auto rows = (*copy)->query("select name, value, source from ssh_key order by name");
    if (!rows) return std::unexpected(rows.error());
    for (const auto& row : *rows)
      keys.push_back({.name = row[0], .text = row[1], .source = row[2]});
  } else {
    return core::refuse(ErrorCode::invalid_argument, "--source must be db, ssh, yaml, git or api");
  }
  const auto chosen = session.setting("key");
  Listing listing{.columns = {"name", "source", "type", "remark", "default"}};
  for (const auto& key : keys) {
    const auto fields = split_words(key.text);
    listing.rows.push_back({key.name, key.source, fields[0], fields.size() > 2 ? fields[2] : "",
                            key.name == chosen ? "*" : ""});
  }
  return print_local(listing, words["--format"]);
}

core::Result<int> load_keys(Session& session, const Words&) {
  return store_keys(session, keys_of_ssh());
}

core::Result<int> add_key(Session& session, const Words& words) {
  const auto name = words["KEY"];
  if (words["--source"] == "api") return run_at_server(issue_token, session, words);
  if (words.has("--git")) {
    auto keys = keys_of_git(session, words["--git"]);
    if (!keys) return std::unexpected(keys.error());
    for (std::size_t i = 0; i < keys->size(); ++i)
      (*keys)[i].name = i ? name + "-" + std::to_string(i + 1) : name;
    return store_keys(session, *keys);
  }
  if (words.has("--ssh")) {
    auto key = key_in_file(name, words["--ssh"], "ssh");
    if (!key) return std::unexpected(key.error());
    return store_keys(session, {std::move(*key)});
  }
  auto keys = keys_of_ssh();
  if (keys.size() > 1) keys.resize(1);
  for (auto& key : keys) key.name = name;
  return store_keys(session, keys);
}

core::Result<int> get_key(Session& session, const Words& words) {
  const auto key = stored_key(session, words["KEY"]);
  if (!key) return std::unexpected(key.error());
  std::cout << key->text << "\n";
  return 0;
}

core::Result<int> default_key(Session& session, const Words& words) {
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  auto name = core::Result<std::string>(words["KEY"]);
  if (words.has("--select")) name = pick("key", (*copy)->key_names());
  if (!name) return std::unexpected(name.error());
  const auto key = stored_key(session, *name);
  if (!key) return std::unexpected(key.error());
  std::cout << key->name << "\n";
  if (auto set = (*copy)->set("general", "key", key->name); !set)
    return std::unexpected(set.error());
  return 0;
}

core::Result<int> delete_key(Session& session, const Words& words) {
  if (words["--source"] == "api") return run_at_server(revoke_token, session, words);
  const auto copy = session.copy();
  if (!copy) return std::unexpected(copy.error());
  auto name = core::Result<std::string>(words["KEY"]);
  if (words.has("--select")) name = pick("key", (*copy)->key_names());
  if (!name) return std::unexpected(name.error());
  if (name->empty() != words.has("--all"))
    return core::refuse(ErrorCode::invalid_argument, "give KEY, --select or --all");
  const auto deleted = (*copy)->query("delete from ssh_key where ? or name = ? returning name",
                                      {words.has("--all") ? "1" : "0", *name});
  if (!deleted) return std::unexpected(deleted.error());
  if (deleted->empty())
    return core::refuse(ErrorCode::not_found, "no such key: " + msg::shown(*name));
  return 0;
}

core::Result<int> upload_key(Session& session, const Words& words) {
  const auto key = stored_key(session, words["KEY"]);
  if (!key) return std::unexpected(key.error());
  const auto host = words["--host"];
  if (host.empty() || host.starts_with('-'))
    return core::refuse(ErrorCode::wrong_state,
                        "the server stores no ssh keys: use --host=MACHINE");
  const std::filesystem::path folder = client_folder() + "/keys";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::string path = folder / (key->name + ".pub");
  std::ofstream file(path, std::ios::trunc);
  file << key->text << "\n" << std::flush;
  if (!file) return core::refuse(ErrorCode::unavailable, "cannot write " + path);
  return run_here({"ssh-copy-id", "-f", "-i", path, host});
}

}  // namespace nucleus::client
