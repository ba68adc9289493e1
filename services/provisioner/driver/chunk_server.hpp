// Serves what ChunkFetcher reads: the disks of images to this host's nbdkit over a Unix socket, by
// a volume's ticket, and chunks to other hosts over TLS, by tickets that the image store signed.
// Requests arrive on the server's thread and are answered on workers.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/http/server.hpp"
#include "core/loop/posix_loop.hpp"
#include "services/provisioner/driver/boot_reads.hpp"
#include "services/provisioner/driver/chunk_fetcher.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

class ChunkServer {
 public:
  struct Options {
    std::string socket_path = {};  // only `user`, or the process's own, may connect
    QemuUser user = {};
    std::optional<core::Endpoint> endpoint = {};  // for other hosts
    std::shared_ptr<core::Certificate> certificate = {};
  };

  /// Throws std::runtime_error if it cannot listen.
  ChunkServer(const Options& options, ChunkFetcher& fetcher, BootReads& boots,
              ChunkMetrics& metrics);
  ~ChunkServer();
  ChunkServer(const ChunkServer&) = delete;
  ChunkServer& operator=(const ChunkServer&) = delete;

 private:
  core::http::Response answer_nbdkit(const core::http::Request& request);
  core::http::Response answer_host(const core::http::Request& request);

  ChunkFetcher& fetcher_;
  BootReads& boots_;
  ChunkMetrics& metrics_;
  core::ThreadWorkers own_;  // for nodes of this host: never behind other hosts
  core::ThreadWorkers hosts_;
  std::unique_ptr<core::http::Server> server_;  // last: its thread uses the others
};

}  // namespace nucleus::provisioner
