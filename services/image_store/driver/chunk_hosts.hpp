// The hosts that fetch each content, and their keys: in memory only, because they say so again
// every half minute. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "messages/chunks.hpp"
#include "services/image_store/fan_out_tree.hpp"

namespace nucleus::image_store {

constexpr std::int64_t fan_out_keep_s = 90;       // of a host that says nothing more
constexpr std::int64_t chunk_ticket_s = 300;      // a ticket's life
constexpr std::size_t fan_out_hosts_max = 4'096;  // of a content; others ask the store alone
constexpr std::size_t fan_out_contents_max = 4'096;

class ChunkHosts {
 public:
  /// Registers the host and returns the hosts it should ask. `invalid_argument`: bad request.
  core::Result<msg::FanOutPlan> join(const std::string& content_id, const msg::JoinFanOut& request,
                                     std::int64_t now_unix_s);
  std::size_t count() const;

 private:
  struct Host {
    std::int64_t joined_unix_s = 0;
    std::int64_t seen_unix_s = 0;
    std::string authority = {};
    std::string key = {};
  };
  struct Content {
    std::map<std::string, Host> hosts = {};             // by endpoint
    std::vector<FanOutMember> members = {};             // as in `orders`; empty = to be computed
    std::vector<std::vector<std::size_t>> orders = {};  // by stripe
    std::vector<std::vector<std::size_t>> ranks = {};   // by stripe, of each member
  };

  void forget_silent(std::int64_t now_unix_s);
  static void arrange(Content& content);
  static void add_peers(msg::FanOutPlan& plan, const std::string& content_id,
                        const Content& content, const std::string& endpoint);

  mutable std::mutex mutex_ = {};
  std::map<std::string, Content> contents_ = {};
  std::int64_t tidied_unix_s_ = 0;
};

}  // namespace nucleus::image_store
