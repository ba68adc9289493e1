// The Redis keys of the console service.
#pragma once

#include "core/state/store.hpp"
#include "services/console/records.hpp"

namespace nucleus::console::keys {

inline core::Key<StoredTicket> ticket(const std::string& hash) {
  return {"nucleus:console:ticket:" + hash};
}
inline core::Key<StoredTicket> tickets() {
  return {"nucleus:console:ticket:"};
}
inline core::Key<StoredSession> session(const std::string& session_id) {
  return {"nucleus:console:session:" + session_id};
}
inline core::Key<StoredSession> sessions() {
  return {"nucleus:console:session:"};
}

}  // namespace nucleus::console::keys
