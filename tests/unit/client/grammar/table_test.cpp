// The table of commands, and what is made from it: parsing, manuals, completion.
#include "client/grammar/table.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "client/grammar/completion.hpp"
#include "client/grammar/manual.hpp"
#include "client/grammar/parse.hpp"

namespace nucleus::client {
namespace {

void visit_all(const Command& command, const std::function<void(const Command&)>& visit) {
  visit(command);
  for (const auto& part : command.parts) visit_all(part, visit);
}

core::Result<Words> parsed(const std::vector<std::string>& line) {
  const auto named = command_named(line);
  return parse(*named.command,
               {line.begin() + static_cast<std::ptrdiff_t>(named.words), line.end()});
}

TEST(CommandTable, NamesEachCommandOnceAndRunsThoseWithoutSubcommands) {
  visit_all(command_table(), [](const Command& command) {
    EXPECT_EQ(command.run == nullptr, !command.parts.empty()) << command.name;
    EXPECT_NE(std::string(command.what), "") << command.name;
    std::set<std::string> names;
    for (const auto& part : command.parts) EXPECT_TRUE(names.insert(part.name).second) << part.name;
    std::set<std::string> arguments;
    for (const auto& each : command.arguments) {
      EXPECT_TRUE(arguments.insert(each.name).second) << command.name << " " << each.name;
      EXPECT_NE(std::string(each.what), "") << command.name << " " << each.name;
    }
  });
}

TEST(CommandTable, HasEachCommandOfTheFirstGeneration) {
  for (const char* name :
       {"banner",  "check", "clear",    "color",    "comet", "context", "debug",   "default",
        "echo",    "exec",  "EOF",      "h",        "help",  "history", "info",    "inventory",
        "key",     "list",  "man",      "open",     "pause", "py",      "q",       "quit",
        "refresh", "reset", "register", "select",   "shell", "sleep",   "ssh",     "rsync",
        "sync",    "timer", "usage",    "limits",   "quota", "var",     "verbose", "version",
        "vm",      "nova",  "hadoop",   "launcher", "stack", "secgroup"})
    EXPECT_TRUE(command_table().part(name)) << name;
}

TEST(CommandTable, ParsesTheGrammarOfBothGenerations) {
  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{
           {"comet", "init"},
           {"comet", "active"},
           {"comet", "active", "e"},
           {"comet", "ll"},
           {"comet", "ll", "c", "--format=csv", "--endpoint=e"},
           {"comet", "cluster", "--concise", "c", "--format=json", "--sort=ram", "--endpoint=e"},
           {"comet", "cluster", "--status"},
           {"comet", "computeset", "7", "--allocation=a", "--cluster=c", "--state=s"},
           {"comet", "start", "c", "--count=2", "--allocation=a", "--reservation=r", "--at-least=1",
            "--walltime=2h", "--endpoint=e"},
           {"comet", "start", "c", "n[0-3]"},
           {"comet", "terminate", "7", "--endpoint=e"},
           {"comet", "hibernate", "7", "--wait", "--endpoint=e"},
           {"comet", "resume", "7", "--boot", "--plan"},
           {"comet", "power", "on", "c", "--count=2", "n[0-3]", "--allocation=a", "--walltime=1d"},
           {"comet", "power", "off", "c"},
           {"comet", "power", "reboot", "c", "7"},
           {"comet", "power", "reset", "c", "n1"},
           {"comet", "power", "shutdown", "c", "n1", "--endpoint=e"},
           {"comet", "console", "--link", "c", "n1"},
           {"comet", "console", "c", "--read-only", "--from-start", "--record=f", "--plain"},
           {"comet", "console", "c", "n1", "--open"},
           {"comet", "node", "info", "c", "n1", "--format=yaml"},
           {"comet", "node", "rename", "c", "a,b", "x,y"},
           {"comet", "iso", "list"},
           {"comet", "iso", "upload", "--isoname=n", "file"},
           {"comet", "iso", "attach", "1", "c", "n[0-3]"},
           {"comet", "iso", "detach", "c"},
           {"comet", "image", "upload", "--imagename=n", "file"},
           {"comet", "image", "attach", "n", "c"},
           {"comet", "reservation", "list"},
           {"burst", "resume", "n[0-3]", "--cluster=c", "--walltime=1d", "--allocation=a",
            "--reservation=r", "--retry-limit=5m", "--endpoint=e"},
           {"burst", "suspend", "n[0-3]", "--cluster=c"},
           {"comet", "reservation", "create", "--any=thing"}})
    EXPECT_TRUE(parsed(line)) << testing::PrintToString(line);
}

TEST(CommandTable, RefusesLinesOutsideTheGrammar) {
  for (const std::vector<std::string>& line :
       std::vector<std::vector<std::string>>{{"comet", "start"},
                                             {"comet", "start", "c", "--count=-1"},
                                             {"comet", "start", "c", "--count=two"},
                                             {"comet", "start", "c", "--count=99999999999"},
                                             {"comet", "terminate", "seven"},
                                             {"comet", "terminate"},
                                             {"comet", "ll", "c", "d"},
                                             {"comet", "ll", "--colour=red"},
                                             {"comet", "power", "reset", "c", "--wait"},
                                             {"comet", "iso", "attach", "1"},
                                             {"burst", "resume", "n1"},
                                             {"burst", "suspend", "--cluster=c"},
                                             {"burst", "resume", "n1", "--cluster=c", "--token=t"},
                                             {"comet", "node", "rename", "c", "a"}}) {
    const auto words = parsed(line);
    ASSERT_FALSE(words) << testing::PrintToString(line);
    EXPECT_EQ(words.error().code, core::ErrorCode::invalid_argument);
    EXPECT_EQ(words.error().detail.find('\n'), std::string::npos);
  }
}

/// A line of the command in which each required argument has a value, but `chosen` has `value`.
std::vector<std::string> line_with(const Command& command, const Argument& chosen,
                                   const std::string& value) {
  std::vector<std::string> positional;
  std::vector<std::string> options;
  bool is_after = false;  // of those after the chosen one, the required ones are given
  for (const auto& each : command.arguments) {
    const bool is_chosen = &each == &chosen;
    if ((each.takes == Takes::many || is_after) && !each.is_required) continue;
    const std::string text = is_chosen ? value : each.takes == Takes::number ? "1" : "a";
    if (!each.is_option())
      positional.push_back(text);
    else if (is_chosen || each.is_required)
      options.insert(options.end(), {each.name, text});
    is_after = is_after || is_chosen;
  }
  for (const auto& option : options) positional.push_back(option);
  return positional;
}

TEST(CommandTable, RefusesABlankValueOfEachArgument) {
  std::size_t tried = 0;
  visit_all(command_table(), [&](const Command& command) {
    if (command.is_passed_on) return;
    for (const auto& argument : command.arguments) {
      if (argument.takes == Takes::nothing || argument.takes == Takes::many) continue;
      for (const char* blank : {"", " ", ",", " , ,"}) {
        const auto line = line_with(command, argument, blank);
        const auto words = parse(command, line);
        EXPECT_EQ(bool(words), argument.may_be_blank)
            << command.name << testing::PrintToString(line);
        if (words || argument.takes == Takes::number) continue;
        EXPECT_EQ(words.error().detail, std::string(argument.name) + " is empty") << command.name;
        ++tried;
      }
    }
  });
  EXPECT_GT(tried, 300U);
}

TEST(CommandTable, RefusesATextForEachNumber) {
  visit_all(command_table(), [](const Command& command) {
    for (const auto& argument : command.arguments) {
      if (argument.takes != Takes::number) continue;
      for (const char* text : {"five", "-1", "1.5", "2147483648", "0x10", "1,2"})
        EXPECT_FALSE(parse(command, line_with(command, argument, text)))
            << command.name << " " << argument.name << " " << text;
    }
  });
}

TEST(CommandTable, LetsNoOptionTakeTheWordAfterAnEmptyOne) {
  const auto words = parsed({"comet", "computeset", "--cluster=", "5"});
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().detail, "--cluster is empty");
  EXPECT_TRUE(parsed({"inventory", "add", "h-[0-3]", "--comment="}));
}

TEST(Words, AreTheValuesGivenElseTheFallbacks) {
  const auto words = parsed({"comet", "start", "c", "--count=2", "--wait"});
  ASSERT_TRUE(words);
  EXPECT_EQ((*words)["CLUSTER"], "c");
  EXPECT_EQ(words->number("--count"), 2);
  EXPECT_TRUE(words->has("--wait"));
  EXPECT_FALSE(words->has("--wait-limit"));
  EXPECT_EQ((*words)["--wait-limit"], "30m");
  EXPECT_EQ((*words)["--allocation"], "");
  EXPECT_TRUE(parsed({"comet", "start", "--help"})->has("--help"));
  EXPECT_EQ(parsed({"echo", "a", "b"})->joined("TEXT"), "a b");
  // Arguments of another program are not interpreted.
  EXPECT_EQ(parsed({"rsync", "--help", "-az", "a"})->joined("ARGS"), "--help -az a");
}

TEST(Manual, NamesEachArgumentOfEachCommand) {
  for (const auto& command : command_table().parts) {
    const auto text = manual_text(command, command.name, true);
    const auto roff = manual_roff(command);
    visit_all(command, [&](const Command& part) {
      if (part.parts.empty()) {
        EXPECT_NE(text.find(part.what), std::string::npos) << part.name;
      }
      for (const auto& each : part.arguments)
        EXPECT_NE(text.find(each.name), std::string::npos) << part.name << " " << each.name;
    });
    EXPECT_TRUE(roff.starts_with(".TH ")) << command.name;
  }
  EXPECT_EQ(synopsis(*command_named({"comet", "terminate"}).command, "comet terminate"),
            "comet terminate ID [--plan] [--wait] [--wait-limit=WAIT-LIMIT] [--endpoint=ENDPOINT]");
}

TEST(Completion, OffersCommandsOptionsAndNamesOfTheirKind) {
  const NamesOf names_of = [](const std::string& kind, const std::string& of) {
    if (kind == "CLUSTER") return std::vector<std::string>{"amber", "beryl"};
    if (kind == "NODES") return std::vector<std::string>{of + "-0", of + "-1"};
    if (kind == "FORMAT") return std::vector<std::string>{"csv", "json"};
    return std::vector<std::string>{};
  };
  const auto offered = [&](const std::vector<std::string>& words) {
    return completions(command_table(), words, names_of);
  };
  using All = std::vector<std::string>;
  EXPECT_EQ(offered({"comet", "comp"}), All{"computeset"});
  EXPECT_EQ(offered({"comet", "ll", "am"}), All{"amber"});
  EXPECT_EQ(offered({"comet", "console", "amber", ""}), (All{"amber-0", "amber-1"}));
  EXPECT_EQ(offered({"comet", "cluster", "--co"}), All{"--concise"});
  EXPECT_EQ(offered({"comet", "ll", "--format=c"}), All{"--format=csv"});
  EXPECT_EQ(offered({"comet", "computeset", "--cluster=b"}), All{"--cluster=beryl"});
  EXPECT_EQ(offered({"comet", "ll", "amber", ""}), All{});
  EXPECT_EQ(completion_script("tcsh"), "");
}

}  // namespace
}  // namespace nucleus::client
