// The registry's projects, people and credentials on a real bus, Redis and threads.
#include <gtest/gtest.h>

#include <set>

#include "services/registry/credentials.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"
#include "tests/support/clusters.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using Built = core::Result<std::shared_ptr<void>>;

/// Collects the persons whose credentials changed.
struct Changes {
  std::mutex mutex = {};
  std::condition_variable changed = {};
  std::multiset<std::string> heard = {};

  core::Result<void> hear(const msg::CredentialsChanged& event, core::Context&) {
    const std::scoped_lock lock{mutex};
    heard.insert(event.person_id.value);
    changed.notify_all();
    return {};
  }
  bool wait(const std::string& person, std::size_t count) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, wait_timeout, [&] { return heard.count(person) >= count; });
  }
};

class RegistryPeople : public testing::Test {
 protected:
  RegistryPeople() {
    config.password_cost = {.passes = 1, .memory_bytes = 8192};
    config.login_failures_max = 3;
    config.login_failures_origin_max = 5;
    start();
    must(msg::DefineProject{{"physics"}});
    must(msg::DefineProject{{"biology"}});
    must(msg::DefinePerson{ada});
  }

  void start() {
    registry =
        std::make_unique<Process>(deployment, "registry", std::map<std::string, std::string>{},
                                  [this](core::Runtime& runtime) -> Built {
                                    return std::make_shared<registry::Service>(runtime, config);
                                  });
  }
  template <class Request>
  typename Request::Reply must(const Request& request) {
    auto reply = caller.call(request, {.deadline = wait_timeout});
    EXPECT_TRUE(reply) << Request::topic << ": " << reply.error().detail;
    return reply.value_or(typename Request::Reply{});
  }
  /// The code with which a request is refused; `unknown` if it succeeds.
  template <class Request>
  ErrorCode refused(const Request& request) {
    const auto reply = caller.call(request, {.deadline = wait_timeout});
    return reply ? ErrorCode::unknown : reply.error().code;
  }
  /// A token that expires soon. The end must still be ahead when the registry reads the request: on
  /// a machine that stalls it is asked for again, further ahead.
  msg::Token issue_brief() {
    for (const auto ahead_s : {2, 10, 60}) {
      const auto soon = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
      const auto token =
          caller.call(msg::IssueToken{.person_id = {"ada"}, .expires_unix_s = soon + ahead_s},
                      {.deadline = wait_timeout});
      if (token) return *token;
      EXPECT_EQ(token.error().field, "expires_unix_s");
    }
    ADD_FAILURE() << "no token that expires soon";
    return {};
  }
  core::Result<msg::Principal> check_signature(const msg::ApiKey& key, const std::string& nonce,
                                               std::vector<std::string> covers = {}) {
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    return caller.call(
        msg::CheckSignature{.key_name = key.key_name,
                            .signed_text = "nonce: " + nonce,
                            .signature_base64 = registry::sign(key.secret, "nonce: " + nonce),
                            .nonce = nonce,
                            .timestamp_unix_s = now,
                            .covers = std::move(covers)},
        {.deadline = wait_timeout});
  }
  msg::CheckPassword login(const std::string& password, const std::string& origin = "192.0.2.1") {
    return {.person_id = ada.person_id, .password = password, .origin = origin};
  }

  const msg::Person ada{.person_id = {"ada"},
                        .email = "ada@example.org",
                        .first_name = "Ada",
                        .role = msg::Role::cluster_admin,
                        .projects = {{"physics"}}};
  registry::Config config = {};
  Deployment deployment = {};
  Process caller{deployment, "caller"};
  std::unique_ptr<Process> registry = {};
};

TEST_F(RegistryPeople, ListsTheProjectsAndPeopleThatTheViewerSees) {
  must(msg::DefinePerson{{.person_id = {"bob"}, .projects = {{"biology"}}}});
  EXPECT_EQ(must(msg::ListProjects{.viewer = as_operator}).projects.size(), 2U);
  const auto own = must(msg::ListProjects{.viewer = {.projects = {{"physics"}}}}).projects;
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(own.front().project_id.value, "physics");
  EXPECT_EQ(must(msg::ListPeople{.viewer = as_operator}).people.size(), 2U);
  const auto members = must(msg::ListPeople{.viewer = {.projects = {{"physics"}}}}).people;
  ASSERT_EQ(members.size(), 1U);
  EXPECT_EQ(members.front(), ada);
  EXPECT_TRUE(
      must(msg::ListPeople{.viewer = as_operator, .page = {.after = "bob"}}).people.empty());
}

TEST_F(RegistryPeople, ChangesWhatAProjectRecordsAndKeepsItThereafter) {
  const msg::ListProjects physics{.viewer = as_operator, .project_id = {"physics"}};
  EXPECT_FALSE(must(physics).projects.at(0).record_consoles);
  Events events{deployment};
  EXPECT_TRUE(must(msg::ChangeProject{{"physics"}, true}).record_consoles);
  EXPECT_TRUE(must(msg::ChangeProject{{"physics"}, {}}).record_consoles);
  must(msg::DefineProject{{"physics"}});  // it exists
  EXPECT_TRUE(events.next<msg::ProjectDefined>(
      [](const msg::ProjectDefined& event) { return event.record_consoles; }));
  start();
  EXPECT_TRUE(must(physics).projects.at(0).record_consoles);
  EXPECT_FALSE(must(msg::ListProjects{.viewer = as_operator, .project_id = {"biology"}})
                   .projects.at(0)
                   .record_consoles);
  EXPECT_EQ(
      refused(msg::ListProjects{.viewer = {.projects = {{"biology"}}}, .project_id = {"physics"}}),
      ErrorCode::not_found);
  EXPECT_EQ(refused(msg::ChangeProject{{"nowhere"}, true}), ErrorCode::not_found);
}

TEST_F(RegistryPeople, RemovesAProjectFromItsMembersButNotWithACluster) {
  must(msg::DefineCluster{.cluster_id = {"c"}, .project_id = {"physics"}, .compute_count = 1});
  EXPECT_EQ(refused(msg::RemoveProject{{"physics"}}), ErrorCode::wrong_state);
  must(msg::RemoveCluster{.cluster_id = {"c"}, .viewer = as_operator});
  must(msg::RemoveProject{{"physics"}});
  EXPECT_TRUE(must(msg::GetPerson{ada.person_id}).projects.empty());
  EXPECT_EQ(refused(msg::RemoveProject{{"physics"}}), ErrorCode::not_found);
}

TEST_F(RegistryPeople, GivesTheNameOfARemovedProjectNotAgain) {
  must(msg::DefineProject{{"chem"}});
  must(msg::DefineCluster{.cluster_id = {"c"}, .project_id = {"chem"}, .compute_count = 1});
  must(msg::RemoveCluster{.cluster_id = {"c"}, .viewer = as_operator});
  must(msg::RemoveProject{{"physics"}});  // it had a person
  must(msg::RemoveProject{{"chem"}});
  for (const char* name : {"physics", "chem"}) {
    EXPECT_EQ(refused(msg::DefineProject{{name}}), ErrorCode::wrong_state);
    EXPECT_EQ(refused(msg::DefinePerson{{.person_id = {"eve"}, .projects = {{name}}}}),
              ErrorCode::not_found);
  }
  must(msg::DefineProject{{"unused"}});
  must(msg::RemoveProject{{"unused"}});
  must(msg::DefineProject{{"unused"}});
}

TEST_F(RegistryPeople, AnnouncesTheProjectsOfAReleaseThatDidNot) {
  registry.reset();
  {
    StandIn before{deployment, "registry"};
    ASSERT_TRUE(before.write(registry::keys::project({"old"}),
                             registry::StoredProject{.project_id = {"old"}}));
  }
  Events events{deployment};
  start();
  EXPECT_TRUE(events.next<msg::ProjectDefined>(
      [](const msg::ProjectDefined& event) { return event.project_id.value == "old"; }));
  const auto defined = [&] { return events.all<msg::ProjectDefined>().size(); };
  const auto before = defined();
  registry.reset();
  start();
  must(msg::DefineProject{{"new"}});
  EXPECT_TRUE(events.next<msg::ProjectDefined>(
      [](const msg::ProjectDefined& event) { return event.project_id.value == "new"; }));
  EXPECT_EQ(defined(), before + 1) << "each is announced once";
}

TEST_F(RegistryPeople, RefusesAnUnknownRole) {
  auto person = ada;
  person.role = msg::Role::unknown;
  EXPECT_EQ(refused(msg::DefinePerson{person}), ErrorCode::invalid_argument);
  EXPECT_EQ(must(msg::GetPerson{ada.person_id}).role, msg::Role::cluster_admin);
}

TEST_F(RegistryPeople, KeepsTheLastOperator) {
  const msg::Person op{.person_id = {"op"}, .role = msg::Role::operator_};
  const msg::Person demoted{.person_id = {"op"}, .role = msg::Role::pi};
  must(msg::DefinePerson{op});
  must(msg::DefinePerson{op});
  const auto changed = caller.call(msg::DefinePerson{demoted}, {.deadline = wait_timeout});
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(changed.error().field, "role");
  EXPECT_EQ(changed.error().detail, "op is the last operator");
  const auto removed = caller.call(msg::RemovePerson{{"op"}}, {.deadline = wait_timeout});
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(removed.error().field, "person_id");
  EXPECT_EQ(must(msg::GetPerson{{"op"}}).role, msg::Role::operator_);
  must(msg::DefinePerson{{.person_id = {"other"}, .role = msg::Role::operator_}});
  must(msg::DefinePerson{demoted});
  EXPECT_EQ(refused(msg::RemovePerson{{"other"}}), ErrorCode::wrong_state);
  must(msg::RemovePerson{{"op"}});
}

TEST_F(RegistryPeople, APersonChangesTheirNameAndNothingElse) {
  const auto changed = must(msg::ChangeProfile{.person_id = {"ada"}, .last_name = "Lovelace"});
  EXPECT_EQ(changed.first_name, "Ada");
  EXPECT_EQ(changed.last_name, "Lovelace");
  EXPECT_EQ(changed.role, ada.role);
  EXPECT_EQ(refused(msg::ChangeProfile{.person_id = {"ada"}, .first_name = "a\x01"}),
            ErrorCode::invalid_argument);
}

TEST_F(RegistryPeople, AcceptsAPasswordAfterARestart) {
  must(msg::SetPassword{.person_id = {"ada"}, .password = "correct horse"});
  registry.reset();
  start();
  const auto who = must(login("correct horse"));
  EXPECT_EQ(who.person_id, ada.person_id);
  EXPECT_EQ(who.projects, ada.projects);
  EXPECT_TRUE(msg::may(who, msg::Right::define));
  EXPECT_FALSE(msg::may(who, msg::Right::people));
  EXPECT_EQ(refused(login("correct horsf")), ErrorCode::unauthenticated);
  EXPECT_EQ(refused(msg::CheckPassword{.person_id = {"nobody"}, .password = "correct horse"}),
            ErrorCode::unauthenticated);
  EXPECT_EQ(refused(msg::SetPassword{.person_id = {"ada"}, .password = "short"}),
            ErrorCode::invalid_argument);
}

TEST_F(RegistryPeople, APersonWithoutAPasswordCannotLogIn) {
  EXPECT_EQ(refused(login("")), ErrorCode::unauthenticated);
  EXPECT_EQ(refused(login("something")), ErrorCode::unauthenticated);
}

TEST_F(RegistryPeople, LimitsFailuresOfAPersonAndOfAnOrigin) {
  must(msg::SetPassword{.person_id = {"ada"}, .password = "correct horse"});
  // A success clears the failures before it.
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(refused(login("wrong horse")), ErrorCode::unauthenticated);
    EXPECT_EQ(refused(login("wrong horse")), ErrorCode::unauthenticated);
    must(login("correct horse"));
  }
  EXPECT_EQ(refused(login("wrong horse")), ErrorCode::unauthenticated);
  // The sixth failure from one address, for any person.
  msg::CheckPassword sixth{.person_id = {"eve"}, .password = "wrong horse"};
  sixth.origin = "192.0.2.1";
  EXPECT_EQ(refused(sixth), ErrorCode::no_capacity);
  for (int failure = 1; failure < 3; ++failure)
    EXPECT_EQ(refused(login("wrong horse", "192.0.2.2")), ErrorCode::unauthenticated);
  // The fourth of one person, from any address; the right password is refused too.
  EXPECT_EQ(refused(login("correct horse", "192.0.2.3")), ErrorCode::no_capacity);
}

TEST_F(RegistryPeople, ATokenHasItsRightsUntilItExpires) {
  const std::vector rights{msg::Right::read, msg::Right::power};
  const auto token = must(msg::IssueToken{.person_id = {"ada"}, .label = "ci", .rights = rights});
  EXPECT_EQ(token.token.size(), 40U);
  const auto who = must(msg::CheckToken{token.token});
  EXPECT_EQ(who.rights, rights);
  EXPECT_EQ(who.token_id, token.token_id);
  EXPECT_EQ(refused(msg::IssueToken{.person_id = {"ada"}, .rights = {msg::Right::operate}}),
            ErrorCode::invalid_argument);
  EXPECT_EQ(refused(msg::IssueToken{.person_id = {"ada"}, .label = std::string(65, 'x')}),
            ErrorCode::invalid_argument);
  EXPECT_EQ(refused(msg::IssueToken{.person_id = {"ada"}, .expires_unix_s = 1}),
            ErrorCode::invalid_argument);
  const auto brief = issue_brief();
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  while (refused(msg::CheckToken{brief.token}) == ErrorCode::unknown)
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "the token does not end";
  EXPECT_GE(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()),
            brief.expires_unix_s);
}

TEST_F(RegistryPeople, ListsAndRevokesTokensAndStoresNone) {
  const auto first = must(msg::IssueToken{.person_id = {"ada"}, .label = "one"});
  const auto second = must(msg::IssueToken{.person_id = {"ada"}, .label = "two"});
  const auto listed = must(msg::ListTokens{{"ada"}}).tokens;
  std::map<std::string, std::string> labels;
  for (const auto& entry : listed) labels[entry.token_id] = entry.label;
  const std::map<std::string, std::string> expected{{first.token_id, "one"},
                                                    {second.token_id, "two"}};
  EXPECT_EQ(labels, expected);
  must(msg::DefinePerson{{.person_id = {"bob"}}});
  EXPECT_EQ(refused(msg::RevokeToken{.person_id = {"bob"}, .token_id = first.token_id}),
            ErrorCode::not_found);
  must(msg::RevokeToken{.person_id = {"ada"}, .token_id = first.token_id});
  EXPECT_EQ(refused(msg::CheckToken{first.token}), ErrorCode::unauthenticated);
  must(msg::CheckToken{second.token});
  EXPECT_EQ(must(msg::ListTokens{{"ada"}}).tokens.size(), 1U);
}

TEST_F(RegistryPeople, RevokesWithATokenThoseThatWereMadeWithItButNotWhenItLogsOut) {
  const auto issue = [&](const std::string& made_by) {
    return must(msg::IssueToken{.person_id = {"ada"}, .made_by = made_by});
  };
  const auto session = issue("");
  const auto child = issue(session.token_id);
  const auto grandchild = issue(child.token_id);
  const auto other = issue("");
  const auto listed = must(msg::ListTokens{{"ada"}}).tokens;
  const auto entry = std::ranges::find(listed, grandchild.token_id, &msg::TokenEntry::token_id);
  ASSERT_NE(entry, listed.end());
  EXPECT_EQ(entry->made_by, child.token_id);
  const msg::RevokeToken log_out{{"ada"}, session.token_id, true};
  must(log_out);
  must(msg::CheckToken{child.token});
  must(msg::RevokeToken{.person_id = {"ada"}, .token_id = child.token_id});
  EXPECT_EQ(refused(msg::CheckToken{child.token}), ErrorCode::unauthenticated);
  EXPECT_EQ(refused(msg::CheckToken{grandchild.token}), ErrorCode::unauthenticated);
  must(msg::CheckToken{other.token});
  EXPECT_EQ(must(msg::ListTokens{{"ada"}}).tokens.size(), 1U);
}

TEST_F(RegistryPeople, EndsNoTokenToMakeRoomForAnother) {
  const auto first = must(msg::IssueToken{.person_id = {"ada"}});
  for (std::size_t i = 1; i < config.tokens_max; ++i) must(msg::IssueToken{.person_id = {"ada"}});
  EXPECT_EQ(refused(msg::IssueToken{.person_id = {"ada"}}), ErrorCode::wrong_state);
  must(msg::CheckToken{first.token});
  must(msg::RevokeToken{.person_id = {"ada"}, .token_id = first.token_id});
  issue_brief();
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  while (refused(msg::IssueToken{.person_id = {"ada"}}) != ErrorCode::unknown)
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "an expired token gives no room";
}

TEST_F(RegistryPeople, KeepsTheFieldsThatAChangeDoesNotGive) {
  must(msg::DefinePerson{.person = {.person_id = ada.person_id, .role = msg::Role::unknown},
                         .kept = {"email", "first_name", "last_name", "role", "projects"}});
  EXPECT_EQ(must(msg::GetPerson{.person_id = {"ada"}}), ada);
  must(msg::DefinePerson{.person = {.person_id = ada.person_id, .email = "new@example.org"},
                         .kept = {"first_name", "last_name", "role", "projects"}});
  auto changed = ada;
  changed.email = "new@example.org";
  EXPECT_EQ(must(msg::GetPerson{.person_id = {"ada"}}), changed);
}

TEST_F(RegistryPeople, RechecksACredentialUntilItEnds) {
  const auto token = must(msg::IssueToken{.person_id = {"ada"}, .rights = {msg::Right::read}});
  const msg::RecheckCredential by_token{.person_id = {"ada"}, .token_id = token.token_id};
  const auto who = must(by_token);
  EXPECT_EQ(who.rights, std::vector{msg::Right::read});
  EXPECT_EQ(who, must(msg::CheckToken{token.token}));
  auto changed = ada;
  changed.projects = {{"biology"}};
  must(msg::DefinePerson{changed});
  EXPECT_EQ(must(by_token).projects, changed.projects);
  must(msg::RevokeToken{.person_id = {"ada"}, .token_id = token.token_id});
  EXPECT_EQ(refused(by_token), ErrorCode::unauthenticated);
  const msg::RecheckCredential by_person{.person_id = {"ada"}};
  EXPECT_EQ(must(by_person).role, ada.role);
  must(msg::RemovePerson{{"ada"}});
  EXPECT_EQ(refused(by_person), ErrorCode::unauthenticated);
  EXPECT_EQ(refused(by_token), ErrorCode::unauthenticated);
}

TEST_F(RegistryPeople, ANewPasswordRevokesEveryToken) {
  const auto token = must(msg::IssueToken{.person_id = {"ada"}});
  must(msg::SetPassword{.person_id = {"ada"}, .password = "correct horse"});
  EXPECT_EQ(refused(msg::CheckToken{token.token}), ErrorCode::unauthenticated);
}

TEST_F(RegistryPeople, ReplacesAKeyAndRevokesTheOldOne) {
  const auto old = must(msg::IssueKey{{"ada"}});
  EXPECT_EQ(must(msg::IssueKey{{"ada"}}), old);
  ASSERT_TRUE(check_signature(old, "a"));
  const auto strict = must(msg::ReplaceKey{.person_id = {"ada"}, .is_strict = true});
  EXPECT_EQ(strict.key_name, old.key_name);
  EXPECT_NE(strict.secret, old.secret);
  EXPECT_FALSE(check_signature(old, "b"));
  EXPECT_FALSE(check_signature(strict, "c", {"nonce", "timestamp"}));
  EXPECT_FALSE(check_signature(strict, "d", {"(request-target)", "host", "date"}));
  EXPECT_TRUE(check_signature(strict, "e", {"(request-target)", "host", "date", "digest"}));
  EXPECT_FALSE(check_signature(strict, "e", {"(request-target)", "host", "date", "digest"}));
  must(msg::ReplaceKey{.person_id = {"ada"}, .is_none = true});
  EXPECT_FALSE(check_signature(strict, "f", {"(request-target)", "host", "date", "digest"}));
  EXPECT_NE(must(msg::IssueKey{{"ada"}}).secret, strict.secret);
}

TEST_F(RegistryPeople, RemovingAPersonRemovesTheirCredentialsAlsoForANewPersonOfTheName) {
  must(msg::SetPassword{.person_id = {"ada"}, .password = "correct horse"});
  const auto token = must(msg::IssueToken{.person_id = {"ada"}});
  const auto key = must(msg::IssueKey{{"ada"}});
  must(msg::RemovePerson{{"ada"}});
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(refused(msg::CheckToken{token.token}), ErrorCode::unauthenticated);
    EXPECT_FALSE(check_signature(key, "n" + std::to_string(life)));
    EXPECT_EQ(refused(login("correct horse")), ErrorCode::unauthenticated);
    must(msg::DefinePerson{ada});
  }
  EXPECT_EQ(refused(msg::RemovePerson{{"nobody"}}), ErrorCode::not_found);
}

TEST_F(RegistryPeople, EmitsWhenCredentialsEndOrRightsChange) {
  Changes changes;
  const Process hearer(deployment, "hearer", {}, [&](core::Runtime& runtime) -> Built {
    runtime.bus.subscribe<msg::CredentialsChanged>(changes, &Changes::hear);
    return std::make_shared<int>(0);
  });
  must(msg::SetPassword{.person_id = {"ada"}, .password = "correct horse"});
  EXPECT_TRUE(changes.wait("ada", 1));
  const auto token = must(msg::IssueToken{.person_id = {"ada"}});
  must(msg::RevokeToken{.person_id = {"ada"}, .token_id = token.token_id});
  EXPECT_TRUE(changes.wait("ada", 2));
  must(msg::ReplaceKey{.person_id = {"ada"}});
  EXPECT_TRUE(changes.wait("ada", 3));
  auto demoted = ada;
  demoted.role = msg::Role::read_only;
  must(msg::DefinePerson{demoted});
  EXPECT_TRUE(changes.wait("ada", 4));
  must(msg::RemoveProject{{"physics"}});
  EXPECT_TRUE(changes.wait("ada", 5));
  must(msg::RemovePerson{{"ada"}});
  EXPECT_TRUE(changes.wait("ada", 6));
}

}  // namespace
}  // namespace nucleus::tests
