#include "client/grammar/table.hpp"

#include "client/commands/commands.hpp"
#include "client/grammar/arguments.hpp"
#include "client/grammar/comet_table.hpp"

namespace nucleus::client {

namespace {

using enum Takes;
using namespace arguments;

constexpr Argument burst_nodes = {"NODES", "a list of compute nodes, as Slurm passes it", one,
                                  true};
constexpr Argument burst_cluster = {"--cluster", "their cluster", one, true};
constexpr Argument retry_limit = {"--retry-limit",
                                  "while the server is not available or a node still stops, try "
                                  "again for so long",
                                  one, false, "1m"};
constexpr Argument burst_resume_words[] = {burst_nodes,
                                           burst_cluster,
                                           {"--walltime", "90m, 2h, 1d or 1w; 2 days if omitted"},
                                           {"--allocation", "charge this allocation"},
                                           {"--reservation", "use this reservation"},
                                           retry_limit,
                                           endpoint};
constexpr Argument burst_suspend_words[] = {burst_nodes, burst_cluster, retry_limit, endpoint};
constexpr Command burst_parts[] = {
    {"resume", "Start nodes as one computeset. Nodes that run or wait are left.",
     burst_resume_words, burst_resume},
    {"suspend", "Shut nodes down. A computeset without other nodes ends.", burst_suspend_words,
     burst_suspend}};

constexpr Argument help_words[] = {{"COMMAND", "only this command"}};
constexpr Argument man_words[] = {{"COMMAND", "only this command"},
                                  {"--noheader", "omit the section headings", nothing}};
constexpr Argument banner_words[] = {{"TEXT", "the text", many},
                                     {"-c", "the character of the frame", one, false, "#", true},
                                     {"-n", "the width of the frame", number, false, "70"},
                                     {"-i", "the indentation", number, false, "0"},
                                     {"-r", "the colour, such as red"}};
constexpr Argument echo_words[] = {{"TEXT", "the text", many}, {"-r", "the colour, such as red"}};
constexpr Argument pause_words[] = {{"MESSAGE", "the prompt", many}};
constexpr Argument sleep_words[] = {{"SECONDS", "0 to 86400, with fractions", one, true}};
constexpr Argument program_words[] = {{"ARGS", "arguments of the program", many}};
constexpr Argument ssh_words[] = {
    {"ARGS", "table, list, cat, register NAME KEYWORD=VALUE…, or arguments of ssh", many}};
constexpr Argument sync_words[] = {{"VERB", "put or get", one, true},
                                   {"FROM", "the source file or folder", one, true},
                                   {"TO", "the destination", one, true},
                                   {"--cloud", "the other machine, as ssh names it"}};
constexpr Argument exec_words[] = {{"FILENAME", "a file with one command per line", one, true}};
constexpr Argument history_words[] = {
    {"ID", "list, last, or the number of a line to run again", one, false, "list"}};
constexpr Argument default_words[] = {{"WORDS", "list, delete KEY, KEY or KEY=VALUE", many},
                                      {"--cloud", "only for this endpoint"},
                                      {"--all", "for every endpoint", nothing},
                                      format};
constexpr Argument var_words[] = {{"WORDS", "list, delete NAME, NAME or NAME=VALUE", many}};
constexpr Argument timer_words[] = {
    {"VERB", "start, stop, resume, reset or list; on or off to time each command", one, false,
     "list"},
    {"NAME", "the stopwatch", one, false, "timer"}};
constexpr Argument switch_words[] = {{"VALUE", "on, off or list", one, false, "list"}};
constexpr Argument list_words[] = {
    {"WHAT", "default, cluster, node, vm or image", one, false, "cluster"},
    {"--refresh", "update the local copy first", nothing},
    cloud,
    format};
constexpr Argument check_words[] = {cloud};
constexpr Argument info_words[] = {cloud, format};
constexpr Argument format_words[] = {format};
constexpr Argument version_words[] = {
    {"--check", "show the version of the server's API too", nothing}, cloud, format};
constexpr Argument account_words[] = {{"VERB", "list", one, false, "list"},
                                      {"--tenant", "only this allocation or project"},
                                      cloud,
                                      format};
constexpr const char* usage_by = "sums by project, person, cluster, allocation or on-behalf-of";
constexpr Argument usage_words[] = {
    {"VERB", "list", one, false, "list"},
    {"--start", "first day, as 2026-11-01; 4 weeks ago if omitted"},
    {"--end", "last day; now if omitted"},
    {"--tenant", "only this allocation or project"},
    {"--project", "only this project"},
    {"--allocation", "only this allocation"},
    {"--person", "only what this person started"},
    {"--cluster", "only this cluster"},
    {"--on-behalf-of", "only this user of a gateway"},
    {"--by", usage_by},
    cloud,
    {"--format", "table, json, yaml, csv, rest or sacct", one, false, "table"}};
constexpr Argument select_words[] = {{"WHAT", "image, cloud, cluster or key", one, true},
                                     {"NAME", "the choice; asked for if omitted"}};
constexpr Argument key_name = {"KEY", "name of the key", one, true};
constexpr Argument key_list_words[] = {
    {"--source", "db, ssh, yaml, git, or api for the server's tokens", one, false, "db"},
    {"--username", "the account at the git host"},
    cloud,
    format};
constexpr Argument key_add_words[] = {
    key_name,
    {"--ssh", "the public key's file; the first one in ~/.ssh if omitted"},
    {"--git", "add the keys of this account at the git host"},
    {"--source", "api to issue a token of the server"},
    cloud};
constexpr Argument key_load_words[] = {{"--format", "ignored", one, false, "table"}};
constexpr Argument key_name_words[] = {key_name};
constexpr Argument key_default_words[] = {{"KEY", "make this key the default"},
                                          {"--select", "choose from a list", nothing}};
constexpr Argument key_delete_words[] = {{"KEY", "name of the key"},
                                         {"--select", "choose from a list", nothing},
                                         {"--all", "delete all stored keys", nothing},
                                         {"--source", "api to revoke a token of the server"},
                                         cloud};
constexpr Argument key_upload_words[] = {
    {"KEY", "name of the key; the default key if omitted"},
    {"--host", "the machine to whose authorized keys it is added"},
    {"--active", "the default key", nothing},
    cloud};
constexpr Argument inventory_add_words[] = {
    {"NAMES", "a list, such as h-[00-15]", one, true},
    {"--label", "label on the host", one, false, "", true},
    {"--service", "service that it runs", one, false, "", true},
    {"--project", "project that it belongs to", one, false, "", true},
    {"--owners", "its owners", one, false, "", true},
    {"--comment", "a comment", one, false, "", true},
    {"--cluster", "cluster that it belongs to", one, false, "", true},
    {"--ip", "its address", one, false, "", true}};
constexpr Argument inventory_set_words[] = {{"NAMES", "a list of hosts", one, true},
                                            {"WORDS", "for ATTRIBUTE to VALUE", many, true}};
constexpr Argument inventory_names_words[] = {{"NAMES", "a list of hosts", one, true}};
constexpr Argument inventory_clone_words[] = {{"NAMES", "a list of new hosts", one, true},
                                              {"WORDS", "from NAME", many, true}};
constexpr Argument inventory_list_words[] = {
    {"NAMES", "only these hosts"}, {"--columns", "columns, separated by commas"}, format};
constexpr Argument register_words[] = {
    {"VERB",
     "info, list, cat, json, env, check, test, new, backup, clean, edit, user, cloud or merge", one,
     false, "info"},
    {"NAME", "an endpoint, a user name, or a file to merge"},
    format};

constexpr Command key_parts[] = {
    {"list", "List keys.", key_list_words, list_keys},
    {"load", "Store all public keys of ~/.ssh.", key_load_words, load_keys},
    {"add", "Store a public key under a name.", key_add_words, add_key},
    {"get", "Print a stored key.", key_name_words, get_key},
    {"default", "Show or set the default key.", key_default_words, default_key},
    {"delete", "Delete a stored key.", key_delete_words, delete_key},
    {"upload", "Add a stored key to a machine's authorized keys.", key_upload_words, upload_key}};
constexpr Command inventory_parts[] = {
    {"add", "Add hosts.", inventory_add_words, inventory_add},
    {"set", "Set an attribute of hosts.", inventory_set_words, inventory_set},
    {"delete", "Delete hosts.", inventory_names_words, inventory_delete},
    {"clone", "Add hosts with the attributes of another.", inventory_clone_words, inventory_clone},
    {"list", "List hosts.", inventory_list_words, inventory_list},
    {"info", "Count the hosts of each cluster.", {}, inventory_info}};

constexpr Command of_other_clouds(const char* name) {
  return {name, "Not available: needs an OpenStack endpoint.", rest_words, refuse_other_cloud, {},
          true};
}

constexpr Command commands[] = {
    {"comet", "Manage virtual clusters: nodes, power, images.", {}, nullptr, comet_parts},
    {"burst",
     "Run nodes for a Slurm elsewhere: its ResumeProgram and SuspendProgram.",
     {},
     nullptr,
     burst_parts},
    {"help", "List all commands or explain one.", help_words, show_help},
    {"man", "Show the manual page of a command.", man_words, show_manual},
    {"list", "List clusters, nodes or images of the local copy.", list_words, list_copy},
    {"refresh", "Update the local copy before each list.", switch_words, switch_setting},
    {"check", "Check that the server accepts the credential.", check_words, check_endpoint},
    {"info", "Show the settings in use.", info_words, show_info},
    {"context", "Show all defaults and variables.", format_words, show_context},
    {"version", "Show the version of this program.", version_words, show_version},
    {"limits", "Show the limit and use of allocations.", account_words, with_api<show_limits>},
    {"quota", "Show the limit of allocations.", account_words, with_api<show_quota>},
    {"usage", "Show what computesets were charged.", usage_words, with_api<show_usage>},
    {"default", "Show or set default values of options.", default_words, set_default},
    {"var", "Show or set variables, written as $NAME.", var_words, set_variable},
    {"select", "Choose a default from a list.", select_words, select_default},
    {"register", "Show, check and change the yaml file of endpoints.", register_words,
     register_yaml},
    {"key", "Manage SSH public keys and tokens of the server.", {}, nullptr, key_parts},
    {"inventory", "Keep a list of hosts.", {}, nullptr, inventory_parts},
    {"color", "Use colours at a terminal.", switch_words, switch_setting},
    {"debug", "Print each HTTP request.", switch_words, switch_setting},
    {"verbose", "Print the time and exit code of each command.", switch_words, switch_setting},
    {"reset", "Erase all settings and the local copy, and quit.", {}, reset_all},
    {"echo", "Print a text.", echo_words, echo},
    {"banner", "Print a text in a frame.", banner_words, banner},
    {"clear", "Clear the terminal.", {}, clear},
    {"pause", "Wait for the return key.", pause_words, pause},
    {"sleep", "Wait for some seconds.", sleep_words, wait_seconds},
    {"timer", "Use stopwatches.", timer_words, timer},
    {"history", "List the lines of this shell or run one again.", history_words, show_history},
    {"h", "List the lines of this shell or run one again.", history_words, show_history},
    {"exec", "Run a file of commands.", exec_words, exec_file},
    {"shell",
     "Run a line in the system's shell; same as !.",
     program_words,
     run_shell_line,
     {},
     true},
    {"py", "Run Python, or one line of it.", program_words, run_python, {}, true},
    {"open", "Open a file or URL on the desktop.", program_words, open_in_desktop, {}, true},
    {"ssh", "Run ssh, or list and add its hosts.", ssh_words, ssh, {}, true},
    {"rsync", "Run rsync.", program_words, rsync, {}, true},
    {"sync", "Copy files to or from another machine with rsync.", sync_words, sync_files},
    {"quit", "Leave the shell.", {}, quit},
    {"q", "Leave the shell.", {}, quit},
    {"EOF", "Leave the shell.", {}, quit},
    of_other_clouds("akey"),
    of_other_clouds("cloud"),
    of_other_clouds("cluster"),
    of_other_clouds("deploy"),
    of_other_clouds("flavor"),
    of_other_clouds("group"),
    of_other_clouds("hadoop"),
    of_other_clouds("hpc"),
    of_other_clouds("image"),
    of_other_clouds("launcher"),
    of_other_clouds("load"),
    of_other_clouds("network"),
    of_other_clouds("nova"),
    of_other_clouds("portal"),
    of_other_clouds("reservation"),
    of_other_clouds("secgroup"),
    of_other_clouds("server"),
    of_other_clouds("stack"),
    of_other_clouds("submit"),
    of_other_clouds("vc"),
    of_other_clouds("vm"),
    of_other_clouds("workflow")};

constexpr Command root = {
    "cm", "Manage virtual clusters from the command line or its shell.", {}, nullptr, commands};

}  // namespace

const Command& command_table() {
  return root;
}

NamedCommand command_named(const std::vector<std::string>& words) {
  NamedCommand found{.command = &root};
  while (found.words < words.size()) {
    const auto* part = found.command->part(words[found.words]);
    if (!part) break;
    found.command = part;
    found.name += (found.name.empty() ? "" : " ") + words[found.words++];
  }
  return found;
}

}  // namespace nucleus::client
