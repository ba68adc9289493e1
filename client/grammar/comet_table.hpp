// The commands of `cm comet`, a part of the one table (table.cpp), and words that others take too.
#pragma once

#include "client/commands/commands.hpp"
#include "client/grammar/arguments.hpp"
#include "client/grammar/command.hpp"

namespace nucleus::client::arguments {

inline constexpr Argument plan = {"--plan", "change nothing; show what would happen", nothing};

inline constexpr Argument active_words[] = {{"ENDPOINT", "make this endpoint the active one"}};
inline constexpr Argument reservation_list_words[] = {format, endpoint};
inline constexpr Argument class_list_words[] = {format, endpoint};
inline constexpr Argument network_words[] = {
    cluster,
    {"--addresses", "let this answer DHCP and DNS there: frontend or nucleus"},
    format,
    endpoint};
inline constexpr Argument ll_words[] = {any_cluster, format, endpoint};
inline constexpr Argument cluster_words[] = {any_cluster,
                                             {"--sort", "sort by this column"},
                                             {"--concise", "show the first eight columns", nothing},
                                             {"--status", "show the first five columns", nothing},
                                             format,
                                             endpoint};
inline constexpr Argument computeset_words[] = {
    {"ID", "only this computeset"},
    {"--cluster", "only computesets of this cluster"},
    {"--allocation", "only computesets charged to this allocation"},
    {"--state", "only computesets in this state; running if omitted"},
    format,
    endpoint};
inline constexpr Argument start_words[] = {
    cluster,
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
inline constexpr Argument why_words[] = {{"WHAT", "a computeset's ID, or a cluster"},
                                         {"NODE", "a node of the cluster; the frontend if omitted"},
                                         {"--host", "explain this host instead (operators)"},
                                         endpoint};
inline constexpr Argument walltime_words[] = {
    {"ID", "the computeset", number, true},
    {"WALLTIME", "from its start: 90m, 2h, 1d or 1w", one, true},
    plan,
    endpoint};
inline constexpr Argument grow_words[] = {{"ID", "the computeset", number, true},
                                          {"NODES", "a list of nodes of its cluster"},
                                          {"--count", "add this many free nodes", number},
                                          plan,
                                          endpoint};
inline constexpr Argument shrink_words[] = {
    {"ID", "the computeset", number, true},
    {"NODES", "a list of its nodes", one, true},
    {"--poweroff", "stop them by force, not gracefully", nothing},
    plan,
    endpoint};
inline constexpr Argument hibernate_words[] = {
    {"ID", "the computeset", number, true}, plan, wait, wait_limit, endpoint};
inline constexpr Argument resume_words[] = {
    {"ID", "the computeset", number, true},
    {"--boot", "discard the saved memory: its nodes boot, on any host", nothing},
    plan,
    wait,
    wait_limit,
    endpoint};
inline constexpr Argument terminate_words[] = {
    {"ID", "the computeset", number, true}, plan, wait, wait_limit, endpoint};
inline constexpr Argument power_on_words[] = {
    cluster,
    power_nodes,
    {"--count", "start this many free nodes", number},
    {"--allocation", "charge this allocation"},
    {"--reservation", "use this reservation"},
    {"--walltime", "90m, 2h, 1d or 1w; 2 days if omitted"},
    plan,
    wait,
    wait_limit,
    endpoint};
inline constexpr Argument power_off_words[] = {cluster, power_nodes, plan,
                                               wait,    wait_limit,  endpoint};
// A node is active before and after a reboot: --wait would have no state to wait for.
inline constexpr Argument reboot_words[] = {cluster, power_nodes, plan, endpoint};
inline constexpr Argument console_words[] = {
    cluster,
    a_node,
    {"--read-only", "do not type; so it is if input or output is not a terminal", nothing},
    {"--from-start", "show all of the log that is kept", nothing},
    {"--record", "write what is shown to this file, as asciicast v2"},
    {"--plain", "remove escape sequences and control characters", nothing},
    {"--open", "open the console in a browser; without a desktop, print the link", nothing},
    {"--link", "print the link; it opens once, within a minute", nothing},
    endpoint};
inline constexpr Argument a_recording = {"ID", "the recording, as the list shows it", one, true};
inline constexpr Argument recording_list_words[] = {
    any_cluster, {"NODE", "only this node"}, format, endpoint};
inline constexpr Argument recording_play_words[] = {
    a_recording,
    {"--speed", "play so many times as fast", one, false, "1"},
    {"--idle", "make no pause longer than so many seconds", number},
    endpoint};
inline constexpr Argument recording_download_words[] = {
    a_recording, {"FILE", "a new file: asciicast v2", one, true}, endpoint};
inline constexpr Argument recording_remove_words[] = {{"ID", "the recordings", many, true},
                                                      endpoint};
inline constexpr Argument node_info_words[] = {cluster, a_node, format, endpoint};
inline constexpr Argument an_image = {"IMAGE", "name of the image, or its index in the list", one,
                                      true};
inline constexpr Argument image_list_words[] = {format, endpoint};
inline constexpr Argument image_info_words[] = {an_image, format, endpoint};
inline constexpr Argument firmware = {"--firmware",
                                      "bios or uefi: what the disk boots with; default: bios"};
inline constexpr Argument image_upload_words[] = {
    {"PATH", "a disk image (raw or qcow2) or an ISO file", one, true},
    {"--imagename", "name of the image; the file's name if omitted"},
    firmware,
    endpoint};
inline constexpr Argument iso_upload_words[] = {
    {"PATH", "an ISO file", one, true},
    {"--isoname", "name of the image; the file's name if omitted"},
    endpoint};
inline constexpr Argument image_import_words[] = {
    {"URL", "https://, or http:// with --sha256", one, true},
    {"--imagename", "name of the image; the last part of the URL if omitted"},
    {"--imageformat", "raw, qcow2 or iso; by the ending of the URL if omitted"},
    {"--sha256", "that the file must have, in hexadecimal"},
    firmware,
    endpoint};
inline constexpr Argument image_remove_words[] = {
    an_image,
    {"--keep-clones", "disks cloned from it keep its files; they are deleted with the last disk",
     nothing},
    endpoint};
inline constexpr Argument image_tag_words[] = {
    an_image, {"TAG", "the tag, NAME:TAG", one, true}, endpoint};
inline constexpr Argument attach_words[] = {an_image, cluster, some_nodes, endpoint};
inline constexpr Argument detach_words[] = {cluster, some_nodes, endpoint};
inline constexpr Argument allocation_words[] = {
    cluster,
    {"NAMES", "charge these, separated by commas; show the present ones if omitted"},
    endpoint};
inline constexpr Argument acknowledgement_words[] = {
    {"PROJECT", "the project", one, true},
    {"--sign", "sign the text for the project", nothing},
    endpoint};
inline constexpr Argument overhead_words[] = {
    cluster,
    {"VERB", "run, show, history, export or links", one, false, "show"},
    {"PART", "links: run or show"},
    {"--certificate", "this one instead of the newest"},
    {"--seconds", "run: begin no new runs after this long", number},
    {"--tools", "run: only mpi, memory, storage, silicon or silicon_small; or mpi,memory"},
    {"--format", "table, json, yaml, csv or rest; export: json, csv, openmetrics, reframe, bencher",
     one, false, "table"},
    wait,
    wait_limit,
    endpoint};
inline constexpr Argument rest_words[] = {{"WORDS", "not interpreted", many}};

inline constexpr Command power_parts[] = {
    {"off", "Power off nodes or the frontend.", power_off_words, with_api<power>},
    {"on", "Power on nodes or the frontend.", power_on_words, with_api<power>},
    {"reboot", "Reboot nodes, a computeset or the frontend.", reboot_words, with_api<power>},
    {"reset", "Reset nodes, a computeset or the frontend.", reboot_words, with_api<power>},
    {"shutdown", "Shut down nodes, a computeset or the frontend.", power_off_words,
     with_api<power>}};
inline constexpr Command node_parts[] = {
    {"info", "Show all attributes of a node.", node_info_words, with_api<show_node>},
    {"rename", "Rename nodes.", rename_words, with_api<rename_nodes>},
    {"netboot", "Let nodes boot from the network first.", netboot_words,
     with_api<set_network_boot>},
    {"disk", "List the generations of a node's disk.", disk_words, with_api<show_disk>},
    {"snapshot", "Save the disks of nodes as generations.", snapshot_words, with_api<save_disks>},
    {"rollback", "Discard what nodes have written since a generation of their disks.",
     rollback_words, with_api<roll_back_disks>},
    {"autosave",
     "Save the disks of nodes by themselves: when they have gone off, or while they run.",
     autosave_words, with_api<set_automatic_saves>},
    {"discard", "Remove a generation; the one that continues it takes over what it saved.",
     discard_words, with_api<remove_generation>}};
inline constexpr Command recording_parts[] = {
    {"list", "List recordings of consoles, also of clusters that were removed.",
     recording_list_words, with_api<list_recordings>},
    {"play", "Play a recording as text; at a terminal with its timing.", recording_play_words,
     with_api<play_recording>},
    {"download", "Write a recording to a file, for asciinema.", recording_download_words,
     with_api<download_recording>},
    {"remove", "Remove recordings.", recording_remove_words, with_api<remove_recordings>}};
inline constexpr Command image_parts[] = {
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
inline constexpr Command iso_parts[] = {
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
inline constexpr Command reservation_parts[] = {
    {"list", "List maintenance windows and the reservations of your projects.",
     reservation_list_words, with_api<list_reservations>},
    {"create", "Not supported.", rest_words, refuse_reservation, {}, true},
    {"update", "Not supported.", rest_words, refuse_reservation, {}, true},
    {"delete", "Not supported.", rest_words, refuse_reservation, {}, true}};

inline constexpr Command comet_parts[] = {
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
    {"hibernate", "Save the memory of a computeset's nodes and free their hosts.", hibernate_words,
     with_api<hibernate_set>},
    {"resume", "Resume a hibernated computeset.", resume_words, with_api<resume_set>},
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
    {"node", "Show and change nodes, save and roll back their disks.", {}, nullptr, node_parts},
    {"image", "Manage installation images.", {}, nullptr, image_parts},
    {"iso", "Manage installation images.", {}, nullptr, iso_parts}};

}  // namespace nucleus::client::arguments
