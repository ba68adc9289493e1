// Reads files of the image store over HTTPS, in ranges. Blocks; one object serves one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/result.hpp"

namespace nucleus::provisioner {

/// The longest range that the image store answers.
constexpr std::uint64_t range_bytes_max = 4 << 20;

/// How a server is verified, and how long it is waited for.
struct ReaderOptions {
  std::string ca_file = {};    // PEM
  std::string authority = {};  // PEM, in place of a file
  long connect_timeout_s = 5;
  long transfer_timeout_s = 30;
  long stall_timeout_s = 0;  // without a byte; 0 = only the others apply
};

class StoreReader {
 public:
  /// `ca_file` verifies the store's certificate.
  StoreReader(std::string ca_file, const std::string& ticket)
      : StoreReader(ReaderOptions{.ca_file = std::move(ca_file)}, ticket) {}
  StoreReader(ReaderOptions options, const std::string& ticket);
  ~StoreReader();
  StoreReader(const StoreReader&) = delete;
  StoreReader& operator=(const StoreReader&) = delete;

  /// `unavailable`: the store does not answer. `not_found`: the ticket does not open the file.
  core::Result<std::uint64_t> size_bytes(const std::string& url);
  /// Exactly these bytes; at most `range_bytes_max`. Fails as `size_bytes`.
  core::Result<std::string> read(const std::string& url, std::uint64_t first, std::uint64_t count);

  /// Of the next requests. The connection stays.
  void set_ticket(const std::string& ticket);
  /// A whole body, of at most `range_bytes_max`. Fails as `size_bytes`.
  core::Result<std::string> get(const std::string& url);
  core::Result<std::string> post(const std::string& url, const std::string& body);
  core::Result<void> put(const std::string& url, const std::string& body);

 private:
  struct Transfer;
  core::Result<void> perform(const std::string& url, int expected_status);
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace nucleus::provisioner
