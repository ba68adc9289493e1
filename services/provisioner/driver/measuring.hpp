// Runs the tools of messages/measurements.hpp in nodes and on the host. No other command can be
// requested. Blocks, so it runs on a worker.
//
// A run that was cut off leaves nothing. It ends by its own deadline, whoever asked for it; its
// file has no name; and the next run on the same machine waits for its lock, so that two runs never
// disturb each other.
#pragma once

#include "messages/provisioner.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// What the tools of a host need.
struct HostTools {
  std::string program = {};    // nucleus-pingpong; empty = only tools without it
  std::string launcher = {};   // starts ranks on other hosts, as ssh does: LAUNCHER HOST COMMAND
  std::string directory = {};  // on the measured disk
};

/// A node as its host knows it.
struct MeasuredNode {
  std::string domain = {};
  Accel accelerator = Accel::unknown;
  std::uint32_t cpus = 0;
};

/// In a node, through its guest agent. `unavailable`: no agent answers; `internal`: the tool
/// failed.
core::Result<msg::MeasurementRun> measure_in_node(Hypervisor& hypervisor, const MeasuredNode& node,
                                                  const msg::RunMeasurement& request,
                                                  std::chrono::milliseconds deadline);

/// The links between the nodes of `peers`, from the node, which is the first of them.
core::Result<msg::LinksRun> measure_links(Hypervisor& hypervisor, const MeasuredNode& node,
                                          const std::vector<std::string>& peers,
                                          std::chrono::milliseconds deadline);

/// On this host, as the native baseline.
core::Result<msg::MeasurementRun> measure_on_host(const HostTools& tools,
                                                  const msg::RunMeasurement& request,
                                                  std::chrono::milliseconds deadline);

/// What replaces the words in braces of a tool's argv.
struct ToolPlaces {
  std::string program = {};
  std::string launcher = {};
  std::string directory = {};
  std::string lock_file = {};
};

/// The command of a run, which ends after `deadline`. `invalid_argument`: no such tool, or peers
/// that are not two names.
core::Result<std::vector<std::string>> plan_tool(const msg::RunMeasurement& request,
                                                 const ToolPlaces& places,
                                                 std::chrono::milliseconds deadline);

/// The command that measures the links between `peers`. `invalid_argument`: they are not 2 to 64
/// names.
core::Result<std::vector<std::string>> plan_links(const std::vector<std::string>& peers,
                                                  const ToolPlaces& places,
                                                  std::chrono::milliseconds deadline);

}  // namespace nucleus::provisioner
