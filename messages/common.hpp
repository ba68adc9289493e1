// Types that all messages share: ids, errors, the envelope, pages, and the rules for names.
// The envelope is the second frame of [topic][envelope][body].
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/fields.hpp"

namespace nucleus::msg {

using ProjectId = Id<struct ProjectTag>;        // the project's name: [a-z0-9][a-z0-9-]{0,62}
using PersonId = Id<struct PersonTag>;          // the person's username
using ClusterId = Id<struct ClusterTag>;        // the cluster's name, unique in the deployment
using NodeId = Id<struct NodeTag>;              // opaque, never changes; a node's name may
using HostId = Id<struct HostTag>;              // the host's name
using AllocationId = Id<struct AllocationTag>;  // the account's name
using ImageId = Id<struct ImageTag>;            // PROJECT/NAME, or public/NAME
using ComputesetId = std::int64_t;  // 1.., never reused; 0 = none. REST v1 has integers.

NUCLEUS_ENUM(ErrorCode, invalid_argument, unauthenticated, forbidden, not_found, wrong_state,
             no_capacity, unavailable, conflict, deadline_exceeded, unknown_outcome, internal)

/// The reason for a failure. `detail` is one line for people, usually under 80 characters; it never
/// contains a secret.
struct Error {
  ErrorCode code = ErrorCode::unknown;
  std::string detail = {};
  std::string field = {};           // the invalid field of the request, if any
  std::uint32_t retry_after_s = 0;  // the same request is refused until then; 0 = not known
  NUCLEUS_FIELDS(code, detail, field, retry_after_s);
};

/// hello: announces a process's name to the bus after each handshake over tcp; not forwarded.
NUCLEUS_ENUM(MessageKind, request, reply, event, hello)

/// Accompanies every request, reply and event.
struct Envelope {
  MessageKind kind = MessageKind::unknown;
  std::string request_id = {};  // repeats with this id have one effect and one reply
  std::string trace_id = {};    // shared by a user's request and everything it causes
  std::string sender = {};  // process name: `scheduler`, `provisioner/host-01`; checked by the bus
  std::string to = {};      // process name; empty = the service named by the topic
  std::int64_t deadline_unix_ms = 0;  // the caller does not wait longer
  std::optional<Error> error = {};    // replies: the request failed; the body is empty
  std::uint64_t sequence = 0;         // replies: the newest event number when the reply was made
  std::uint64_t after_sequence = 0;   // requests: answer after handling the events up to here
  std::uint64_t event_id = 0;         // events: 1.. without gaps in the deployment
  std::int64_t timeout_ms = 0;  // requests: the caller still waits this long, whatever the time is
                                // on its clock; 0 = up to deadline_unix_ms
  NUCLEUS_FIELDS(kind, request_id, trace_id, sender, to, deadline_unix_ms, error, sequence,
                 after_sequence, event_id, timeout_ms);
};

constexpr std::uint32_t page_entries_default = 100;
constexpr std::uint32_t page_entries_max = 1'000;

/// The part of a list that a request reads. The reply documents the order of the list.
struct Page {
  std::uint32_t limit = 0;  // maximum number of entries, 1..1000; 0 = 100. A reply may hold fewer.
  std::string after = {};   // `next` of the previous reply; empty = from the start. 0..128 bytes
  NUCLEUS_FIELDS(limit, after);
};

/// Limits a request to what its caller may see: the things of these projects, or everything for an
/// operator. Invisible things are answered exactly like things that do not exist.
struct Viewer {
  std::vector<ProjectId> projects = {};  // 0..256
  bool is_operator = false;
  NUCLEUS_FIELDS(projects, is_operator);
};

inline bool sees(const Viewer& viewer, const ProjectId& project) {
  return viewer.is_operator || std::ranges::find(viewer.projects, project) != viewer.projects.end();
}

/// Names a node: by its id, or by its cluster and its name. A frontend has its cluster's name.
struct NodeRef {
  NodeId node_id = {};  // if set, the other two are not used
  ClusterId cluster_id = {};
  std::string name = {};
  NUCLEUS_FIELDS(node_id, cluster_id, name);
};

constexpr std::int64_t unix_s_max = 253'402'300'799;  // the end of the year 9999

/// A reply without content: the request succeeded.
struct Done {
  NUCLEUS_NO_FIELDS()
};

constexpr bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

/// True for 1..64 letters, digits, `-`, `_`, `.`, starting with a letter or digit: safe in keys,
/// topics, file names and XML.
constexpr bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  const char first = name.front();
  if (first == '-' || first == '_' || first == '.') return false;
  for (char c : name)
    if (!is_name_character(c)) return false;
  return true;
}

inline Error invalid(std::string_view field, std::string_view detail) {
  return {.code = ErrorCode::invalid_argument,
          .detail = std::string(detail),
          .field = std::string(field)};
}

/// A name for display and logs: truncated to 64 bytes, other characters replaced by `?`.
inline std::string shown(std::string_view name) {
  std::string safe(name.substr(0, 64));
  for (char& c : safe)
    if (!is_name_character(c) && c != '/' && c != ':' && c != ' ') c = '?';
  return safe;
}

/// Nothing, or the error that `field` must be a name.
inline std::optional<Error> check_name(std::string_view field, std::string_view value) {
  if (is_name(value)) return std::nullopt;
  return invalid(field,
                 std::string(field) +
                     " must be 1 to 64 letters, digits, - _ . and begin with a letter or digit");
}

inline std::optional<Error> check(const NodeRef& node) {
  if (!node.node_id.empty()) return std::nullopt;
  if (node.cluster_id.empty()) return invalid("cluster_id", "cluster_id must be set");
  if (node.name.empty()) return invalid("name", "name must be set");
  return std::nullopt;
}

inline std::optional<Error> check(const Page& page) {
  if (page.limit > page_entries_max) return invalid("limit", "limit must be 1 to 1000");
  if (page.after.size() > 128) return invalid("after", "after is not a cursor of this list");
  return std::nullopt;
}

}  // namespace nucleus::msg

template <class Tag>
struct std::hash<nucleus::msg::Id<Tag>> {
  std::size_t operator()(const nucleus::msg::Id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.value);
  }
};
