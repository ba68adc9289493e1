#include "client/command_table.hpp"

#include "client/commands/commands.hpp"

namespace nucleus::client {

namespace {

using enum Takes;

constexpr Argument format = {"--format", "table, json, yaml, csv or rest", one, false, "table"};
constexpr Argument endpoint = {"--endpoint", "at this endpoint of the yaml file"};
constexpr Argument cloud = {"--cloud", "at this endpoint of the yaml file"};
constexpr Argument wait = {"--wait", "return when it is done; shows how far it is", nothing};
constexpr Argument wait_limit = {"--wait-limit", "for no longer than this", one, false, "30m"};
constexpr Argument cluster = {"CLUSTER", "whose nodes", one, true};
constexpr Argument its_cluster = {"CLUSTER", "its cluster", one, true};
constexpr Argument any_cluster = {"CLUSTER", "this one alone"};
constexpr Argument a_node = {"NODE", "its name; else the frontend"};
constexpr Argument some_nodes = {"NODES", "a list; else the frontend"};
constexpr Argument power_nodes = {"NODES",
                                  "a list of nodes, or a computeset's number; else the frontend"};

constexpr Argument at_endpoint[] = {endpoint};
constexpr Argument active_words[] = {{"ENDPOINT", "from now on this one"}};
constexpr Argument ll_words[] = {any_cluster, format, endpoint};
constexpr Argument cluster_words[] = {any_cluster,
                                      {"--sort", "by this column"},
                                      {"--concise", "the first eight columns", nothing},
                                      {"--status", "the first five columns", nothing},
                                      format,
                                      endpoint};
constexpr Argument computeset_words[] = {{"ID", "this one alone"},
                                         {"--cluster", "of this cluster"},
                                         {"--allocation", "charged to this allocation"},
                                         {"--state", "in this state, else running"},
                                         format,
                                         endpoint};
constexpr Argument start_words[] = {cluster,
                                    {"NODES", "a list, as vm-c-[00-03]"},
                                    {"--count", "as many, whichever are free", number},
                                    {"--allocation", "which is charged"},
                                    {"--reservation", "of the batch system"},
                                    {"--walltime", "as 90m, 2h, 1d, 1w; else 2 days"},
                                    wait,
                                    wait_limit,
                                    endpoint};
constexpr Argument terminate_words[] = {
    {"ID", "of the computeset", number, true}, wait, wait_limit, endpoint};
constexpr Argument power_on_words[] = {cluster,
                                       power_nodes,
                                       {"--count", "start as many", number},
                                       {"--allocation", "which is charged"},
                                       {"--reservation", "of the batch system"},
                                       {"--walltime", "as 90m, 2h, 1d, 1w"},
                                       wait,
                                       wait_limit,
                                       endpoint};
constexpr Argument power_off_words[] = {cluster, power_nodes, wait, wait_limit, endpoint};
// A reboot ends as it begins: there is nothing to wait for.
constexpr Argument power_again_words[] = {cluster, power_nodes, endpoint};
constexpr Argument console_words[] = {
    its_cluster,
    a_node,
    {"--link", "print the link; it opens once, within a minute", nothing},
    endpoint};
constexpr Argument node_info_words[] = {its_cluster, a_node, format, endpoint};
constexpr Argument rename_words[] = {{"CLUSTER", "their cluster", one, true},
                                     {"OLDNAMES", "a list", one, true},
                                     {"NEWNAMES", "a list of the same length", one, true},
                                     endpoint};
constexpr Argument image_list_words[] = {format, endpoint};
constexpr Argument image_upload_words[] = {{"PATH", "an ISO file", one, true},
                                           {"--imagename", "its name there; else the file's"},
                                           endpoint};
constexpr Argument iso_upload_words[] = {
    {"PATH", "an ISO file", one, true}, {"--isoname", "its name there; else the file's"}, endpoint};
constexpr Argument attach_words[] = {
    {"IMAGE", "or its number in the list", one, true}, cluster, some_nodes, endpoint};
constexpr Argument detach_words[] = {cluster, some_nodes, endpoint};
constexpr Argument rest_words[] = {{"WORDS", "of another program or place", many}};

constexpr const char* power_what = "the frontend, NODES, or a computeset";
constexpr Command power_parts[] = {
    {"off", power_what, power_off_words, with_api<power>},
    {"on", "the frontend, or NODES", power_on_words, with_api<power>},
    {"reboot", power_what, power_again_words, with_api<power>},
    {"reset", power_what, power_again_words, with_api<power>},
    {"shutdown", power_what, power_off_words, with_api<power>}};
constexpr Command node_parts[] = {
    {"info", "all that is known of it", node_info_words, with_api<show_node>},
    {"rename", "give nodes other names", rename_words, with_api<rename_nodes>}};
constexpr Command image_parts[] = {
    {"list", "public ones and your own", image_list_words, with_api<list_images>},
    {"upload", "send one; it is checked before it is listed", image_upload_words,
     with_api<upload_image>},
    {"attach", "put it into nodes", attach_words, with_api<attach_image>},
    {"detach", "take it out", detach_words, with_api<attach_image>}};
constexpr Command iso_parts[] = {
    {"list", "public ones and your own", image_list_words, with_api<list_images>},
    {"upload", "send one; it is checked before it is listed", iso_upload_words,
     with_api<upload_image>},
    {"attach", "put it into nodes", attach_words, with_api<attach_image>},
    {"detach", "take it out", detach_words, with_api<attach_image>}};
constexpr Command reservation_parts[] = {
    {"list", "those there are", at_endpoint, list_reservations},
    {"create", "not supported here", rest_words, refuse_reservation, {}, true},
    {"update", "not supported here", rest_words, refuse_reservation, {}, true},
    {"delete", "not supported here", rest_words, refuse_reservation, {}, true}};

constexpr Command comet_parts[] = {
    {"init", "set up an endpoint: name, URL and key", {}, init_endpoint},
    {"active", "the endpoints, or choose the active one", active_words, choose_active},
    {"reservation", "of the batch system", {}, nullptr, reservation_parts},
    {"ll", "clusters, one a line", ll_words, with_api<list_clusters>},
    {"cluster", "the nodes of clusters and their states", cluster_words, with_api<show_clusters>},
    {"computeset", "nodes that were started together", computeset_words, with_api<show_sets>},
    {"start", "start compute nodes of a cluster", start_words, with_api<start_nodes>},
    {"terminate", "end a computeset: its nodes shut down", terminate_words,
     with_api<terminate_set>},
    {"power", "nodes, computesets and frontends on and off", {}, nullptr, power_parts},
    {"console", "a node's console, in the browser", console_words, with_api<open_console>},
    {"node", "one node", {}, nullptr, node_parts},
    {"image", "installation disks", {}, nullptr, image_parts},
    {"iso", "installation disks", {}, nullptr, iso_parts}};

constexpr Argument help_words[] = {{"COMMAND", "this one"}};
constexpr Argument man_words[] = {{"COMMAND", "of this one"},
                                  {"--noheader", "without its headings", nothing}};
constexpr Argument banner_words[] = {{"TEXT", "what it says", many},
                                     {"-c", "the character of the frame", one, false, "#"},
                                     {"-n", "how wide", number, false, "70"},
                                     {"-i", "how far in", number, false, "0"},
                                     {"-r", "its colour, as red"}};
constexpr Argument echo_words[] = {{"TEXT", "what to print", many}, {"-r", "its colour, as red"}};
constexpr Argument pause_words[] = {{"MESSAGE", "what to say", many}};
constexpr Argument sleep_words[] = {{"SECONDS", "how long, to 86400", one, true}};
constexpr Argument program_words[] = {{"ARGS", "its own words", many}};
constexpr Argument ssh_words[] = {
    {"ARGS", "table, list, cat, register NAME KEYWORD=VALUE…, or the program's own words", many}};
constexpr Argument sync_words[] = {{"VERB", "put or get", one, true},
                                   {"FROM", "a file or folder", one, true},
                                   {"TO", "where it goes", one, true},
                                   {"--cloud", "the other machine, as ssh knows it"}};
constexpr Argument exec_words[] = {{"FILENAME", "one command a line", one, true}};
constexpr Argument history_words[] = {
    {"ID", "list, last, or the number of a line to run again", one, false, "list"}};
constexpr Argument default_words[] = {{"WORDS", "list, delete KEY, KEY or KEY=VALUE", many},
                                      {"--cloud", "of this endpoint alone"},
                                      {"--all", "of every endpoint", nothing},
                                      format};
constexpr Argument var_words[] = {{"WORDS", "list, delete NAME, NAME or NAME=VALUE", many}};
constexpr Argument timer_words[] = {
    {"VERB", "start, stop, resume, reset, list; on or off for each command", one, false, "list"},
    {"NAME", "which of them", one, false, "timer"}};
constexpr Argument switch_words[] = {{"VALUE", "on, off or list", one, false, "list"}};
constexpr Argument list_words[] = {
    {"WHAT", "default, cluster, node, vm or image", one, false, "cluster"},
    {"--refresh", "ask the server first", nothing},
    cloud,
    format};
constexpr Argument check_words[] = {cloud};
constexpr Argument info_words[] = {cloud, format};
constexpr Argument format_words[] = {format};
constexpr Argument version_words[] = {{"--check", "the server's, too", nothing}, cloud, format};
constexpr Argument account_words[] = {{"VERB", "list", one, false, "list"},
                                      {"--tenant", "of this allocation or project alone"},
                                      cloud,
                                      format};
constexpr Argument usage_words[] = {{"VERB", "list", one, false, "list"},
                                    {"--start", "from this day, as 2026-11-01; else 4 weeks ago"},
                                    {"--end", "up to the end of this day; else till now"},
                                    {"--tenant", "of this allocation or project alone"},
                                    cloud,
                                    format};
constexpr Argument select_words[] = {{"WHAT", "image, cloud, cluster or key", one, true},
                                     {"NAME", "this one; else it is asked for"}};
constexpr Argument key_name = {"KEY", "its name", one, true};
constexpr Argument key_list_words[] = {
    {"--source", "db, ssh, yaml, git, or api for this server's tokens", one, false, "db"},
    {"--username", "whose, of git"},
    cloud,
    format};
constexpr Argument key_add_words[] = {{"KEY", "its name", one, true},
                                      {"--ssh", "this public key's file; else the first of ~/.ssh"},
                                      {"--git", "those of this person at the git host"},
                                      {"--source", "api for a token of this server"},
                                      cloud};
constexpr Argument key_load_words[] = {{"--format", "of what is shown", one, false, "table"}};
constexpr Argument key_name_words[] = {key_name};
constexpr Argument key_default_words[] = {{"KEY", "from now on this one"},
                                          {"--select", "ask which", nothing}};
constexpr Argument key_delete_words[] = {{"KEY", "its name"},
                                         {"--select", "ask which", nothing},
                                         {"--all", "all that are kept here", nothing},
                                         {"--source", "api for a token of this server"},
                                         cloud};
constexpr Argument key_upload_words[] = {{"KEY", "its name; else the default key"},
                                         {"--host", "put it into this machine's authorized keys"},
                                         {"--active", "the default key", nothing},
                                         cloud};
constexpr Argument inventory_add_words[] = {{"NAMES", "a list, as h-[00-15]", one, true},
                                            {"--label", "what is written on it"},
                                            {"--service", "what it does"},
                                            {"--project", "for which it is"},
                                            {"--owners", "whose it is"},
                                            {"--comment", "anything else"},
                                            {"--cluster", "of which it is one"},
                                            {"--ip", "its address"}};
constexpr Argument inventory_set_words[] = {{"NAMES", "a list", one, true},
                                            {"WORDS", "for ATTRIBUTE to VALUE", many, true}};
constexpr Argument inventory_names_words[] = {{"NAMES", "a list", one, true}};
constexpr Argument inventory_clone_words[] = {{"NAMES", "a list", one, true},
                                              {"WORDS", "from NAME", many, true}};
constexpr Argument inventory_list_words[] = {
    {"NAMES", "these alone"}, {"--columns", "these, with commas between"}, format};
constexpr Argument register_words[] = {
    {"VERB",
     "info, list, cat, json, env, check, test, new, backup, clean, edit, user, cloud or merge", one,
     false, "info"},
    {"NAME", "an endpoint, a person, or a file to merge"},
    format};

constexpr Command key_parts[] = {
    {"list", "those there are", key_list_words, list_keys},
    {"load", "keep all of ~/.ssh", key_load_words, load_keys},
    {"add", "keep one by a name", key_add_words, add_key},
    {"get", "print one", key_name_words, get_key},
    {"default", "which is taken where none is said", key_default_words, default_key},
    {"delete", "forget one", key_delete_words, delete_key},
    {"upload", "put one into a machine", key_upload_words, upload_key}};
constexpr Command inventory_parts[] = {
    {"add", "write hosts down", inventory_add_words, inventory_add},
    {"set", "change an attribute of hosts", inventory_set_words, inventory_set},
    {"delete", "cross hosts out", inventory_names_words, inventory_delete},
    {"clone", "hosts like another", inventory_clone_words, inventory_clone},
    {"list", "those there are", inventory_list_words, inventory_list},
    {"info", "how many there are", {}, inventory_info}};

constexpr const char* elsewhere = "of other clouds: not here";
constexpr Command of_elsewhere(const char* name) {
  return {name, elsewhere, rest_words, refuse_elsewhere, {}, true};
}

constexpr Command commands[] = {
    {"comet", "virtual clusters: their nodes, power and images", {}, nullptr, comet_parts},
    {"help", "all commands, or one", help_words, show_help},
    {"man", "the manual page of a command", man_words, show_manual},
    {"list", "the local copy of clusters, nodes and images", list_words, list_copy},
    {"refresh", "ask the server before each list", switch_words, switch_setting},
    {"check", "is the endpoint there, and the credential accepted?", check_words, check_endpoint},
    {"info", "the settings in short", info_words, show_info},
    {"context", "the variables and switches of this shell", format_words, show_context},
    {"version", "of this program", version_words, show_version},
    {"limits", "what allocations may use, and have used", account_words, with_api<show_limits>},
    {"quota", "what allocations may use", account_words, with_api<show_quota>},
    {"usage", "what computesets were charged", usage_words, with_api<show_usage>},
    {"default", "values that are taken where none is said", default_words, set_default},
    {"var", "variables, which a line names as $NAME", var_words, set_variable},
    {"select", "choose a default", select_words, select_default},
    {"register", "the yaml file of endpoints", register_words, register_yaml},
    {"key", "ssh keys, and tokens of the server", {}, nullptr, key_parts},
    {"inventory", "hosts, written down", {}, nullptr, inventory_parts},
    {"color", "colours at a terminal", switch_words, switch_setting},
    {"debug", "show each request", switch_words, switch_setting},
    {"verbose", "say more", switch_words, switch_setting},
    {"reset", "erase what is kept, and quit", {}, reset_all},
    {"echo", "print a text", echo_words, echo},
    {"banner", "a text in a frame", banner_words, banner},
    {"clear", "clear the terminal", {}, clear},
    {"pause", "wait for the return key, at a terminal", pause_words, pause},
    {"sleep", "do nothing for some seconds", sleep_words, sleep_on},
    {"timer", "stopwatches", timer_words, timer},
    {"history", "the lines of this shell, or one of them again", history_words, show_history},
    {"h", "the lines of this shell, or one of them again", history_words, show_history},
    {"exec", "run a file of commands", exec_words, exec_file},
    {"shell", "a line for the system's shell, as !", program_words, run_shell_line, {}, true},
    {"py", "python, or one line of it", program_words, run_python, {}, true},
    {"open", "open a file or URL in the desktop", program_words, open_in_desktop, {}, true},
    {"ssh", "the secure shell, and the hosts that it knows", ssh_words, ssh, {}, true},
    {"rsync", "copy files, with its own words", program_words, rsync, {}, true},
    {"sync", "copy to and from another machine", sync_words, sync_files},
    {"quit", "leave the shell", {}, quit},
    {"q", "leave the shell", {}, quit},
    {"EOF", "leave the shell", {}, quit},
    of_elsewhere("akey"),
    of_elsewhere("cloud"),
    of_elsewhere("cluster"),
    of_elsewhere("deploy"),
    of_elsewhere("flavor"),
    of_elsewhere("group"),
    of_elsewhere("hadoop"),
    of_elsewhere("hpc"),
    of_elsewhere("image"),
    of_elsewhere("launcher"),
    of_elsewhere("load"),
    of_elsewhere("network"),
    of_elsewhere("nova"),
    of_elsewhere("portal"),
    of_elsewhere("reservation"),
    of_elsewhere("secgroup"),
    of_elsewhere("server"),
    of_elsewhere("stack"),
    of_elsewhere("submit"),
    of_elsewhere("vc"),
    of_elsewhere("vm"),
    of_elsewhere("workflow")};

constexpr Command root = {
    "cm", "Virtual clusters: their command and its shell.", {}, nullptr, commands};

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
