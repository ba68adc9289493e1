// Arguments that several commands of the table have, and those of the commands about nodes and
// disks.
#pragma once

#include "client/grammar/command.hpp"

namespace nucleus::client::arguments {

using enum Takes;

inline constexpr Argument format = {"--format", "table, json, yaml, csv or rest", one, false,
                                    "table"};
inline constexpr Argument endpoint = {"--endpoint", "use this endpoint of the yaml file"};
inline constexpr Argument cloud = {"--cloud", "use this endpoint of the yaml file"};
inline constexpr Argument wait = {"--wait", "return when it is done, and show progress", nothing};
inline constexpr Argument wait_limit = {"--wait-limit", "wait no longer than this", one, false,
                                        "30m"};
inline constexpr Argument cluster = {"CLUSTER", "the cluster", one, true};
inline constexpr Argument any_cluster = {"CLUSTER", "only this cluster"};
inline constexpr Argument a_node = {"NODE", "the node; the frontend if omitted"};
inline constexpr Argument some_nodes = {"NODES", "a list of nodes; the frontend if omitted"};
inline constexpr Argument power_nodes = {
    "NODES", "a list of nodes or a computeset's ID; the frontend if omitted"};

inline constexpr Argument rename_words[] = {cluster,
                                            {"OLDNAMES", "a list of nodes", one, true},
                                            {"NEWNAMES", "a list of the same length", one, true},
                                            endpoint};
inline constexpr Argument netboot_words[] = {
    cluster,
    {"NODES", "a list of nodes", one, true},
    {"--off", "boot from ISO and disk first again", nothing},
    endpoint};

inline constexpr Argument a_generation = {"GENERATION", "number or name of the generation", one,
                                          true};
inline constexpr Argument disk_words[] = {cluster, a_node, format, endpoint};
inline constexpr Argument autosave_words[] = {cluster,
                                              {"NODES", "a list of nodes", one, true},
                                              {"--every",
                                               "save them every so many minutes while "
                                               "they run, instead"},
                                              {"--off", "do not save them any more", nothing},
                                              endpoint};
inline constexpr Argument snapshot_words[] = {cluster,
                                              {"NODES", "a list of nodes", one, true},
                                              {"NAME", "name of the generation"},
                                              wait,
                                              wait_limit,
                                              endpoint};
inline constexpr Argument rollback_words[] = {
    cluster,
    {"NODES", "a list of nodes that are off", one, true},
    {"GENERATION", "number or name of the generation; 0 is the image", one, true},
    wait,
    wait_limit,
    endpoint};
inline constexpr Argument discard_words[] = {
    cluster, {"NODE", "a node that is off", one, true}, a_generation, wait, wait_limit, endpoint};
inline constexpr Argument image_save_words[] = {
    cluster,
    {"NODE", "the node", one, true},
    {"IMAGE", "name of the new image", one, true},
    {"--generation", "number or name of the generation; the newest if omitted"},
    {"--wait", "return when it is published, and show progress", nothing},
    endpoint};

}  // namespace nucleus::client::arguments
