// The functions behind the command table (client/grammar), which lists the arguments of each.
// They return an exit code, or an error that is printed on one line.
#pragma once

#include <string>
#include <vector>

#include "client/api/api.hpp"
#include "client/config/session.hpp"
#include "client/grammar/command.hpp"
#include "client/output/listing.hpp"
#include "client/terminal/terminal.hpp"

namespace nucleus::client {

/// A command that needs the server of `--endpoint` or `--cloud`, or of the default endpoint.
using RunAtServer = core::Result<int> (*)(const Api&, const Words&);
core::Result<int> run_at_server(RunAtServer run, Session& session, const Words& words);
template <RunAtServer run>
core::Result<int> with_api(Session& session, const Words& words) {
  return run_at_server(run, session, words);
}

// comet
core::Result<int> list_clusters(const Api& api, const Words& words);
core::Result<int> show_clusters(const Api& api, const Words& words);
core::Result<int> show_network(const Api& api, const Words& words);
core::Result<int> show_sets(const Api& api, const Words& words);
core::Result<int> start_nodes(const Api& api, const Words& words);
/// Of `comet start --plan` and `comet grow --plan`.
void print_start_plan(const Json& plan);
/// Of the other commands with --plan.
void print_change_plan(const Json& plan);
/// Asks for the plan of a change, and prints it.
core::Result<int> show_plan(const Api& api, const std::string& method, const std::string& address,
                            Json body);
core::Result<int> change_walltime(const Api& api, const Words& words);
core::Result<int> grow_set(const Api& api, const Words& words);
core::Result<int> shrink_set(const Api& api, const Words& words);
core::Result<int> terminate_set(const Api& api, const Words& words);

/// Saves the memory of a computeset's nodes; starts it again.
core::Result<int> hibernate_set(const Api& api, const Words& words);
core::Result<int> resume_set(const Api& api, const Words& words);
core::Result<int> explain(const Api& api, const Words& words);
core::Result<int> power(const Api& api, const Words& words);
core::Result<int> open_console(const Api& api, const Words& words);
core::Result<int> list_recordings(const Api& api, const Words& words);
core::Result<int> play_recording(const Api& api, const Words& words);
core::Result<int> download_recording(const Api& api, const Words& words);
core::Result<int> remove_recordings(const Api& api, const Words& words);
core::Result<int> show_node(const Api& api, const Words& words);
core::Result<int> rename_nodes(const Api& api, const Words& words);
core::Result<int> set_network_boot(const Api& api, const Words& words);
core::Result<int> save_disks(const Api& api, const Words& words);
core::Result<int> roll_back_disks(const Api& api, const Words& words);
core::Result<int> set_automatic_saves(const Api& api, const Words& words);
core::Result<int> remove_generation(const Api& api, const Words& words);
core::Result<int> show_disk(const Api& api, const Words& words);
core::Result<int> list_images(const Api& api, const Words& words);
core::Result<int> list_isos(const Api& api, const Words& words);
core::Result<int> show_image(const Api& api, const Words& words);
core::Result<int> show_iso(const Api& api, const Words& words);
core::Result<int> upload_image(const Api& api, const Words& words);
core::Result<int> upload_iso(const Api& api, const Words& words);
core::Result<int> import_image(const Api& api, const Words& words);
core::Result<int> save_image(const Api& api, const Words& words);
core::Result<int> tag_image(const Api& api, const Words& words);
core::Result<int> untag_image(const Api& api, const Words& words);
core::Result<int> remove_image(const Api& api, const Words& words);
core::Result<int> remove_iso(const Api& api, const Words& words);
core::Result<int> attach_image(const Api& api, const Words& words);     // and detach
core::Result<int> attach_iso(const Api& api, const Words& words);       // and detach
core::Result<int> show_allocation(const Api& api, const Words& words);  // and set
core::Result<int> acknowledge(const Api& api, const Words& words);
core::Result<int> init_endpoint(Session& session, const Words& words);
core::Result<int> choose_active(Session& session, const Words& words);
core::Result<int> overhead(const Api& api, const Words& words);
core::Result<int> list_reservations(const Api& api, const Words& words);
core::Result<int> list_host_classes(const Api& api, const Words& words);
core::Result<int> refuse_reservation(Session& session, const Words& words);

// burst
core::Result<int> burst_resume(Session& session, const Words& words);
core::Result<int> burst_suspend(Session& session, const Words& words);

// Accounts
core::Result<int> show_limits(const Api& api, const Words& words);
core::Result<int> show_quota(const Api& api, const Words& words);
core::Result<int> show_usage(const Api& api, const Words& words);
core::Result<int> check_endpoint(Session& session, const Words& words);
core::Result<int> show_version(Session& session, const Words& words);

// The shell
core::Result<int> show_help(Session& session, const Words& words);
core::Result<int> show_manual(Session& session, const Words& words);
core::Result<int> show_history(Session& session, const Words& words);
core::Result<int> quit(Session& session, const Words& words);
core::Result<int> echo(Session& session, const Words& words);
core::Result<int> banner(Session& session, const Words& words);
core::Result<int> clear(Session& session, const Words& words);
core::Result<int> pause(Session& session, const Words& words);
core::Result<int> wait_seconds(Session& session, const Words& words);
core::Result<int> refuse_other_cloud(Session& session, const Words& words);

// Other programs
core::Result<int> exec_file(Session& session, const Words& words);
core::Result<int> run_shell_line(Session& session, const Words& words);
core::Result<int> run_python(Session& session, const Words& words);
core::Result<int> open_in_desktop(Session& session, const Words& words);
core::Result<int> ssh(Session& session, const Words& words);
core::Result<int> rsync(Session& session, const Words& words);
core::Result<int> sync_files(Session& session, const Words& words);

// Settings and the local copy
core::Result<int> list_copy(Session& session, const Words& words);
core::Result<int> set_default(Session& session, const Words& words);
core::Result<int> set_variable(Session& session, const Words& words);
core::Result<int> switch_setting(Session& session, const Words& words);
core::Result<int> show_info(Session& session, const Words& words);
core::Result<int> show_context(Session& session, const Words& words);
core::Result<int> reset_all(Session& session, const Words& words);
core::Result<int> timer(Session& session, const Words& words);
core::Result<int> select_default(Session& session, const Words& words);
core::Result<int> register_yaml(Session& session, const Words& words);
core::Result<int> list_keys(Session& session, const Words& words);
core::Result<int> load_keys(Session& session, const Words& words);
core::Result<int> add_key(Session& session, const Words& words);
core::Result<int> get_key(Session& session, const Words& words);
core::Result<int> default_key(Session& session, const Words& words);
core::Result<int> delete_key(Session& session, const Words& words);
core::Result<int> upload_key(Session& session, const Words& words);
core::Result<int> inventory_add(Session& session, const Words& words);
core::Result<int> inventory_set(Session& session, const Words& words);
core::Result<int> inventory_delete(Session& session, const Words& words);
core::Result<int> inventory_clone(Session& session, const Words& words);
core::Result<int> inventory_list(Session& session, const Words& words);
core::Result<int> inventory_info(Session& session, const Words& words);

// Shared by several commands

/// 0, or the error.
core::Result<int> exit_code(const core::Result<void>& done);
/// The cluster's JSON. `not_found` names it.
core::Result<Json> get_cluster(const Api& api, const std::string& cluster);
/// `not_found` unless each name is that of the cluster's frontend or of one of its computes.
core::Result<void> check_members(const Json& cluster, const std::vector<std::string>& names);
/// The names of a hostlist, 1 to 10,000. `invalid_argument`: it is malformed or empty.
core::Result<std::vector<std::string>> names_in(const std::string& list);
Json list_of(const std::vector<std::string>& names);
std::vector<std::string> texts_of(const Json& list);
/// A computeset's ID, and no name: one or more digits.
bool is_number(const std::string& text);
/// `wrong_state` if the computeset has ended already.
core::Result<void> check_unfinished(const Json& computeset);
/// All computesets that have not ended.
core::Result<Json> get_active_sets(const Api& api);
/// Rows of the local copy as a listing.
core::Result<int> print_rows(const core::Result<std::vector<LocalCopy::Row>>& rows,
                             std::vector<std::string> columns, const std::string& format);

}  // namespace nucleus::client
