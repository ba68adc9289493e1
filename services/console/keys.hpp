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
inline core::Key<StoredRecording> recording(const std::string& recording_id) {
  return {"nucleus:console:recording:" + recording_id};
}
inline core::Key<StoredRecording> recordings() {
  return {"nucleus:console:recording:"};
}

}  // namespace nucleus::console::keys
