// The commands of `nucleus`: each function adds one command, or one group, to the command line.
#pragma once

#include "operator/command_line.hpp"

namespace nucleus::operator_ {

void add_up(Commands& commands);
void add_down(Commands& commands);
void add_status(Commands& commands);
void add_doctor(Commands& commands);
void add_verify(Commands& commands);
void add_trace(Commands& commands);
void add_cluster(Commands& commands);
/// The commands of group `cluster` that wait for something: wait, measure.
void add_cluster_waiting(Commands& group);
void add_person(Commands& commands);
void add_project(Commands& commands);
void add_image(Commands& commands);
void add_host(Commands& commands);
void add_allocation(Commands& commands);
void add_reservation(Commands& commands);
void add_host_class(Commands& commands);
void add_fabric(Commands& commands);
void add_join(Commands& commands);
void add_slurm(Commands& commands);
void add_process(Commands& commands);
void add_keys(Commands& commands);
void add_bootstrap(Commands& commands);
void add_supervise(Commands& commands);

}  // namespace nucleus::operator_
