#include "client/grammar/table.hpp"

#include "client/commands/commands.hpp"
#include "client/grammar/arguments.hpp"

namespace nucleus::client {

namespace {

using enum Takes;
using namespace arguments;

constexpr Argument plan = {"--plan", "change nothing; show what would happen", nothing};

constexpr Argument active_words[] = {{"ENDPOINT", "make this endpoint the active one"}};
constexpr Argument reservation_list_words[] = {format, endpoint};
constexpr Argument class_list_words[] = {format, endpoint};
constexpr Argument network_words[] = {cluster, format, endpoint};
constexpr Argument ll_words[] = {any_cluster, format, endpoint};
constexpr Argument cluster_words[] = {any_cluster,
                                      {"--sort", "sort by this column"},
                                      {"--concise", "show the first eight columns", nothing},
                                      {"--status", "show the first five columns", nothing},
                                      format,
                                      endpoint};
constexpr Argument computeset_words[] = {
    {"ID", "only this computeset"},
    {"--cluster", "only computesets of this cluster"},
    {"--allocation", "only computesets charged to this allocation"},
    {"--state", "only computesets in this state; running if omitted"},
    format,
    endpoint};
constexpr Argument start_words[] = {cluster,
                                    {"NODES", "a list of nodes, such as vm-c-[00-03]"},
                                    {"--count", "start this many free nodes", number},
                                    {"--allocation", "charge this allocation"},
                                    {"--reservation", "use this reservation"},
                                    {"--walltime", "90m, 2h, 1d or 1w; 2 days if omitted"},
                                    {"--at-least", "start as soon as this many nodes fit", number},
                                    {"--class", "the class of hosts; default if omitted"},
                                    {"--on-behalf-of", "the user of your gateway who asks for it"},
                                    plan,
                                    wait,
                                    wait_limit,
                                    endpoint};
constexpr Argument why_words[] = {{"WHAT", "a computeset's ID, or a cluster"},
                                  {"NODE", "a node of the cluster; the frontend if omitted"},
                                  {"--host", "explain this host instead (operators)"},
                                  endpoint};
constexpr Argument walltime_words[] = {{"ID", "the computeset", number, true},
                                       {"WALLTIME", "from its start: 90m, 2h, 1d or 1w", one, true},
                                       plan,
                                       endpoint};
constexpr Argument grow_words[] = {{"ID", "the computeset", number, true},
                                   {"NODES", "a list of nodes of its cluster"},
                                   {"--count", "add this many free nodes", number},
                                   plan,
                                   endpoint};
constexpr Argument shrink_words[] = {{"ID", "the computeset", number, true},
                                     {"NODES", "a list of its nodes", one, true},
                                     {"--poweroff", "stop them by force, not gracefully", nothing},
                                     plan,
                                     endpoint};
constexpr Argument terminate_words[] = {
    {"ID", "the computeset", number, true}, plan, wait, wait_limit, endpoint};
constexpr Argument power_on_words[] = {cluster,
                                       power_nodes,
                                       {"--count", "start this many free nodes", number},
                                       {"--allocation", "charge this allocation"},
                                       {"--reservation", "use this reservation"},
                                       {"--walltime", "90m, 2h, 1d or 1w; 2 days if omitted"},
                                       plan,
                                       wait,
                                       wait_limit,
                                       endpoint};
constexpr Argument power_off_words[] = {cluster, power_nodes, plan, wait, wait_limit, endpoint};
// A node is active before and after a reboot: --wait would have no state to wait for.
constexpr Argument reboot_words[] = {cluster, power_nodes, plan, endpoint};
constexpr Argument console_words[] = {
    cluster,
    a_node,
    {"--read-only", "do not type; so it is if input or output is not a terminal", nothing},
    {"--from-start", "show all of the log that is kept", nothing},
    {"--record", "write what is shown to this file, as asciicast v2"},
    {"--plain", "remove escape sequences and control characters", nothing},
    {"--open", "open the console in a browser; without a desktop, print the link", nothing},
    {"--link", "print the link; it opens once, within a minute", nothing},
    endpoint};
constexpr Argument a_recording = {"ID", "the recording, as the list shows it", one, true};
constexpr Argument recording_list_words[] = {
    any_cluster, {"NODE", "only this node"}, format, endpoint};
constexpr Argument recording_play_words[] = {
    a_recording,
    {"--speed", "play so many times as fast", one, false, "1"},
    {"--idle", "make no pause longer than so many seconds", number},
    endpoint};
constexpr Argument recording_download_words[] = {
    a_recording, {"FILE", "a new file: asciicast v2", one, true}, endpoint};
constexpr Argument recording_remove_words[] = {{"ID", "the recordings", many, true}, endpoint};
constexpr Argument node_info_words[] = {cluster, a_node, format, endpoint};
constexpr Argument rename_words[] = {cluster,
                                     {"OLDNAMES", "a list of nodes", one, true},
                                     {"NEWNAMES", "a list of the same length", one, true},
                                     endpoint};
constexpr Argument an_image = {"IMAGE", "name of the image, or its index in the list", one, true};
constexpr Argument image_list_words[] = {format, endpoint};
constexpr Argument image_info_words[] = {an_image, format, endpoint};
constexpr Argument firmware = {"--firmware",
                               "bios or uefi: what the disk boots with; default: bios"};
constexpr Argument image_upload_words[] = {
    {"PATH", "a disk image (raw or qcow2) or an ISO file", one, true},
    {"--imagename", "name of the image; the file's name if omitted"},
    firmware,
    endpoint};
constexpr Argument iso_upload_words[] = {
    {"PATH", "an ISO file", one, true},
    {"--isoname", "name of the image; the file's name if omitted"},
    endpoint};
constexpr Argument image_import_words[] = {
    {"URL", "https://, or http:// with --sha256", one, true},
    {"--imagename", "name of the image; the last part of the URL if omitted"},
    {"--imageformat", "raw, qcow2 or iso; by the ending of the URL if omitted"},
    {"--sha256", "that the file must have, in hexadecimal"},
    firmware,
    endpoint};
constexpr Argument image_remove_words[] = {
    an_image,
    {"--keep-clones", "disks cloned from it keep its files; they are deleted with the last disk",
     nothing},
    endpoint};
constexpr Argument image_tag_words[] = {
    an_image, {"TAG", "the tag, NAME:TAG", one, true}, endpoint};
constexpr Argument attach_words[] = {an_image, cluster, some_nodes, endpoint};
constexpr Argument detach_words[] = {cluster, some_nodes, endpoint};
constexpr Argument allocation_words[] = {
    cluster,
    {"NAMES", "charge these, separated by commas; show the present ones if omitted"},
    endpoint};
constexpr Argument acknowledgement_words[] = {{"PROJECT", "the project", one, true},
                                              {"--sign", "sign the text for the project", nothing},
                                              endpoint};
constexpr Argument overhead_words[] = {
    cluster,
    {"VERB", "run, show, history, export or links", one, false, "show"},
    {"PART", "links: run or show"},
    {"--certificate", "this one instead of the newest"},
    {"--seconds", "run: begin no new runs after this long", number},
    {"--format", "table, json, yaml, csv or rest; export: json, csv, openmetrics, reframe, bencher",
     one, false, "table"},
    wait,
    wait_limit,
    endpoint};
constexpr Argument rest_words[] = {{"WORDS", "not interpreted", many}};

constexpr Command power_parts[] = {
    {"off", "Power off nodes or the frontend.", power_off_words, with_api<power>},
    {"on", "Power on nodes or the frontend.", power_on_words, with_api<power>},
    {"reboot", "Reboot nodes, a computeset or the frontend.", reboot_words, with_api<power>},
    {"reset", "Reset nodes, a computeset or the frontend.", reboot_words, with_api<power>},
    {"shutdown", "Shut down nodes, a computeset or the frontend.", power_off_words,
     with_api<power>}};
constexpr Command node_parts[] = {
    {"info", "Show all attributes of a node.", node_info_words, with_api<show_node>},
    {"rename", "Rename nodes.", rename_words, with_api<rename_nodes>},
    {"disk", "List the generations of a node's disk.", disk_words, with_api<show_disk>},
    {"snapshot", "Save the disks of nodes as generations.", snapshot_words, with_api<save_disks>},
    {"rollback", "Discard what nodes have written since a generation of their disks.",
     rollback_words, with_api<roll_back_disks>},
    {"autosave",
     "Save the disks of nodes by themselves: when they have gone off, or while they run.",
     autosave_words, with_api<set_automatic_saves>},
    {"discard", "Remove a generation; the one that continues it takes over what it saved.",
     discard_words, with_api<remove_generation>}};
constexpr Command recording_parts[] = {
    {"list", "List recordings of consoles, also of clusters that were removed.",
     recording_list_words, with_api<list_recordings>},
    {"play", "Play a recording as text; at a terminal with its timing.", recording_play_words,
     with_api<play_recording>},
    {"download", "Write a recording to a file, for asciinema.", recording_download_words,
     with_api<download_recording>},
    {"remove", "Remove recordings.", recording_remove_words, with_api<remove_recordings>}};
constexpr Command image_parts[] = {
    {"list", "List public images and those of your projects.", image_list_words,
     with_api<list_images>},
    {"info", "Show all attributes of an image.", image_info_words, with_api<show_image>},
    {"upload", "Upload an image, or continue an upload of the same file.", image_upload_words,
     with_api<upload_image>},
    {"import", "Let the server fetch an image from a URL.", image_import_words,
     with_api<import_image>},
    {"save", "Publish a generation of a node's disk as an image.", image_save_words,
     with_api<save_image>},
    {"remove", "Remove an image that no node uses.", image_remove_words, with_api<remove_image>},
    {"tag", "Let a tag name an image, and no other one any more.", image_tag_words,
     with_api<tag_image>},
    {"untag", "Remove a tag from an image.", image_tag_words, with_api<untag_image>},
    {"attach", "Insert an image into the drive of nodes.", attach_words, with_api<attach_image>},
    {"detach", "Remove the image from the drive of nodes.", detach_words, with_api<attach_image>}};
constexpr Command iso_parts[] = {
    {"list", "List public images and those of your projects.", image_list_words,
     with_api<list_isos>},
    {"info", "Show all attributes of an image.", image_info_words, with_api<show_iso>},
    {"upload", "Upload an image, or continue an upload of the same file.", iso_upload_words,
     with_api<upload_iso>},
    {"import", "Let the server fetch an image from a URL.", image_import_words,
     with_api<import_image>},
    {"remove", "Remove an image that no node uses.", image_remove_words, with_api<remove_iso>},
    {"attach", "Insert an image into the drive of nodes.", attach_words, with_api<attach_iso>},
    {"detach", "Remove the image from the drive of nodes.", detach_words, with_api<attach_iso>}};
constexpr Command reservation_parts[] = {
    {"list", "List maintenance windows and the reservations of your projects.",
     reservation_list_words, with_api<list_reservations>},
    {"create", "Not supported.", rest_words, refuse_reservation, {}, true},
    {"update", "Not supported.", rest_words, refuse_reservation, {}, true},
    {"delete", "Not supported.", rest_words, refuse_reservation, {}, true}};

constexpr Command comet_parts[] = {
    {"init", "Set up an endpoint: name, URL and API key.", {}, init_endpoint},
    {"active", "List the endpoints or choose the active one.", active_words, choose_active},
    {"reservation", "List reservations.", {}, nullptr, reservation_parts},
    {"classes", "List the classes of hosts and their prices.", class_list_words,
     with_api<list_host_classes>},
    {"ll", "List clusters, one per line.", ll_words, with_api<list_clusters>},
    {"cluster", "List the nodes of clusters and their states.", cluster_words,
     with_api<show_clusters>},
    {"network", "Show the network of a cluster: addresses, VLANs, isolation.", network_words,
     with_api<show_network>},
    {"computeset", "Show computesets.", computeset_words, with_api<show_sets>},
    {"start", "Start compute nodes of a cluster as a computeset.", start_words,
     with_api<start_nodes>},
    {"why", "Explain why a computeset, a node or a host is in its state.", why_words,
     with_api<explain>},
    {"walltime", "Change the walltime of a computeset that waits or runs.", walltime_words,
     with_api<change_walltime>},
    {"grow", "Add nodes to a running computeset.", grow_words, with_api<grow_set>},
    {"shrink", "Stop some nodes of a running computeset, which leave it.", shrink_words,
     with_api<shrink_set>},
    {"terminate", "End a computeset and shut down its nodes.", terminate_words,
     with_api<terminate_set>},
    {"power", "Power nodes, computesets and frontends on and off.", {}, nullptr, power_parts},
    {"console", "Attach to the serial console of a node; ~. leaves it, ~? helps.", console_words,
     with_api<open_console>},
    {"recording", "Show recordings of consoles.", {}, nullptr, recording_parts},
    {"allocation", "Show or set the allocations that a cluster is charged to.", allocation_words,
     with_api<show_allocation>},
    {"acknowledgement", "Read and sign the acknowledgement of responsibility of a project.",
     acknowledgement_words, with_api<acknowledge>},
    {"overhead", "Measure what virtualization costs in a cluster, or show it.", overhead_words,
     with_api<overhead>},
    {"node", "Show or rename nodes, save and roll back their disks.", {}, nullptr, node_parts},
    {"image", "Manage installation images.", {}, nullptr, image_parts},
    {"iso", "Manage installation images.", {}, nullptr, iso_parts}};

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
