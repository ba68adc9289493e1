// A private Slurm for a rack on one machine. It schedules all hosts of the rack but the first,
// which is left for frontends.
#pragma once

#include <string>
#include <vector>

#include "operator/deployment.hpp"

namespace nucleus::operator_ {

/// The rack's hosts that are nodes of Slurm.
std::vector<std::string> slurm_nodes(const Options& options);
/// `slurmctld`, or a node's name.
std::string slurm_port(const std::string& daemon);
/// Refuses a deployment that cannot have it, or a machine without its programs.
core::Result<void> check_slurm(const Options& options);

/// Writes Prolog, Epilog and their settings.
core::Result<void> write_slurm_hooks(const StateDirectory& state, const std::string& programs);
Child slurm_child(const StateDirectory& state, const Deployment& deployment,
                  const std::string& programs);
/// Of the scheduler.
std::map<std::string, std::string> slurm_settings(const StateDirectory& state);
/// Why it does not serve; empty if it does.
std::string slurm_problem(const StateDirectory& state);

}  // namespace nucleus::operator_
