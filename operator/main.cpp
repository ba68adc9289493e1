// nucleus: the operator's command.
#include <curl/curl.h>

#include "operator/commands/commands.hpp"

int main(int argc, char** argv) {
  using namespace nucleus::operator_;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  return run_command_line(argc, argv, [](Commands& commands) {
    add_up(commands);
    add_down(commands);
    add_status(commands);
    add_doctor(commands);
    add_verify(commands);
    add_trace(commands);
    add_cluster(commands);
    add_person(commands);
    add_project(commands);
    add_image(commands);
    add_host(commands);
    add_allocation(commands);
    add_reservation(commands);
    add_host_class(commands);
    add_fabric(commands);
    add_join(commands);
    add_slurm(commands);
    add_process(commands);
    add_keys(commands);
    add_bootstrap(commands);
    add_supervise(commands);
  });
}
