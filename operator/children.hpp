// The processes that a supervisor runs, with their programs and settings.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "operator/state_directory.hpp"

namespace nucleus::operator_ {

struct Child {
  std::string name = {};      // of its pid file, log and settings
  std::string bus_name = {};  // empty = not on the bus
  std::vector<std::string> argv = {};
  std::vector<std::string> environment = {};         // NAME=VALUE, added to our own
  std::map<std::string, std::string> settings = {};  // written to DIR/config/NAME.yaml
  bool is_infrastructure = false;                    // others depend on it, so it stops last
};

/// All processes of this state directory, a deployment's or a joined host's, in the order of their
/// start. `not_found` if it has neither.
core::Result<std::vector<Child>> load_children(const StateDirectory& state);

/// The programs that do not exist.
std::vector<std::string> missing_programs(const std::vector<Child>& children);

/// Writes each child's settings file.
core::Result<void> write_settings(const StateDirectory& state, const std::vector<Child>& children);

/// The folder of the running program.
std::string programs_folder();
/// The program's path, searched in PATH; empty if it does not exist.
std::string find_program(const std::string& name);

}  // namespace nucleus::operator_
