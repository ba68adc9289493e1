// timer: stopwatches, which keep running after the shell has ended.
#include <chrono>
#include <iostream>

#include "client/commands/commands.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

std::string now_ms() {
  using namespace std::chrono;
  return std::to_string(
      duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

}  // namespace

core::Result<int> timer(Session& session, const Words& words) {
  const auto opened = session.copy();
  if (!opened) return std::unexpected(opened.error());
  auto& copy = **opened;
  const auto verb = words["VERB"];
  const auto name = words["NAME"];
  const auto now = now_ms();
  if (verb == "list")
    return print_rows(copy.query("select name, (gathered_ms + case when started_ms > 0 then ? - "
                                 "started_ms else 0 end) / 1000.0 from timer order by name",
                                 {now}),
                      {"name", "seconds"}, "table");
  if (verb == "on" || verb == "off") {
    auto set = copy.set("general", "timer", verb);
    if (!set) return std::unexpected(set.error());
    return 0;
  }
  core::Result<std::vector<LocalCopy::Row>> done = std::vector<LocalCopy::Row>{};
  if (verb == "start")
    done = copy.query("insert or replace into timer values(?, ?, 0) returning name", {name, now});
  else if (verb == "stop")
    done = copy.query(
        "update timer set gathered_ms = gathered_ms + ? - started_ms, started_ms = 0 "
        "where name = ? and started_ms > 0 returning gathered_ms / 1000.0",
        {now, name});
  else if (verb == "resume")
    done = copy.query(
        "update timer set started_ms = ? where name = ? and started_ms = 0 "
        "returning name",
        {now, name});
  else if (verb == "reset")
    done = copy.query("delete from timer where name = ? returning name", {name});
  else
    return core::refuse(ErrorCode::invalid_argument,
                        "VERB must be on, off, start, stop, resume, reset or list");
  if (!done) return std::unexpected(done.error());
  if (done->empty())
    return core::refuse(ErrorCode::wrong_state, "no stopwatch " + name + " to " + verb);
  if (verb == "stop") std::cout << name << " " << done->front().front() << " s\n";
  return 0;
}

}  // namespace nucleus::client
