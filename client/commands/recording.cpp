// recording list, play, download and remove.
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/console/plain_filter.hpp"
#include "client/http/url.hpp"
#include "client/output/views.hpp"
#include "client/terminal/interrupt.hpp"
#include "client/terminal/terminal.hpp"
#include "core/files/descriptor.hpp"
#include "core/files/files.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr std::chrono::seconds download_silence_max{60};

std::string recording_path(const std::string& id) {
  return "/v2/recordings/" + encoded(id);
}

/// Names the recording: the server's 404 is the same whether it is hidden or does not exist.
core::Error recording_error(core::Error error, const std::string& id) {
  if (error.code == ErrorCode::not_found) error.detail = "no such recording: " + msg::shown(id);
  return error;
}

/// What a recording's file prints, with its timing.
class Playback {
 public:
  /// `idle_max_s`: no pause is longer; 0 = any.
  Playback(double speed, double idle_max_s) : speed_{speed}, idle_max_s_{idle_max_s} {}

  /// False if it is not a line of a recording.
  bool play(std::string_view line, bool is_timed) {
    const auto event = Json::parse_exact(line);
    if (!event || event->items().size() != 3) return false;
    const auto& time = event->items()[0].text();
    double at_s = 0;
    std::from_chars(time.data(), time.data() + time.size(), at_s);
    if (is_timed) wait_until(at_s);
    const auto& kind = event->items()[1].text();
    const auto& text = event->items()[2].text();
    if (kind == "o") std::cout << filter_.read(text) << std::flush;
    if (kind == "m" && text.starts_with("gap "))
      std::cout << "\n[bytes " << PlainFilter().read(text.substr(4)) << " are missing]\n"
                << std::flush;
    return true;
  }

 private:
  void wait_until(double at_s) {
    double pause_s = std::max(at_s - last_s_, 0.0);
    if (idle_max_s_ > 0) pause_s = std::min(pause_s, idle_max_s_);
    last_s_ = at_s;
    due_ += std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(pause_s / speed_));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due_ - Clock::now());
    if (left.count() > 0) sleep_until_interrupt(left);
  }

  using Clock = std::chrono::steady_clock;
  double speed_;
  double idle_max_s_;
  double last_s_ = 0;
  Clock::time_point due_ = Clock::now();
  PlainFilter filter_ = {};
};

core::Result<double> speed_of(const std::string& text) {
  constexpr double speed_min = 0.01;
  constexpr double speed_max = 1000;
  double speed = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, speed);
  if (read.ec != std::errc{} || read.ptr != end || !(speed >= speed_min && speed <= speed_max))
    return core::refuse(ErrorCode::invalid_argument, "--speed must be a number from 0.01 to 1000");
  return speed;
}

}  // namespace

core::Result<int> list_recordings(const Api& api, const Words& words) {
  std::string path = "/v2/recordings";
  if (words.has("CLUSTER")) path += "?cluster_id=" + encoded(words["CLUSTER"]);
  if (words.has("NODE")) path += "&node_name=" + encoded(words["NODE"]);
  const auto recordings = api.get_all(path, "recordings");
  if (!recordings) return std::unexpected(recordings.error());
  if (recordings->items().empty() && words.has("CLUSTER"))
    return core::refuse(ErrorCode::not_found,
                        "no recordings of " + msg::shown(words["CLUSTER"]) +
                            (words.has("NODE") ? ", node " + msg::shown(words["NODE"]) : ""));
  return print(recording_view(*recordings), words["--format"], *recordings);
}

core::Result<int> play_recording(const Api& api, const Words& words) {
  const auto speed = speed_of(words["--speed"]);
  if (!speed) return std::unexpected(speed.error());
  std::string file;
  const auto read = api.follow(recording_path(words["ID"]) + "/content", download_silence_max,
                               [&](std::string_view part) {
                                 file += part;
                                 return true;
                               });
  if (!read) return std::unexpected(recording_error(read.error(), words["ID"]));
  Playback playback(*speed, static_cast<double>(words.number("--idle")));
  std::string_view rest = file;
  rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);  // the header
  while (!rest.empty() && !is_interrupted()) {
    const auto end = std::min(rest.find('\n'), rest.size() - 1);
    if (!playback.play(rest.substr(0, end), is_output_terminal()))
      return core::refuse(ErrorCode::internal, "the server's file is not a recording");
    rest.remove_prefix(end + 1);
  }
  std::cout << std::endl;
  return is_interrupted() ? interrupted_code : 0;
}

core::Result<int> download_recording(const Api& api, const Words& words) {
  constexpr mode_t only_owner = 0600;
  const auto name = words["FILE"];
  const core::Descriptor file{
      ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, only_owner)};
  if (!file.is_open())
    return core::refuse(ErrorCode::invalid_argument, core::refuse_errno(name).error().detail);
  core::Result<void> written;
  const auto read = api.follow(
      recording_path(words["ID"]) + "/content", download_silence_max, [&](std::string_view part) {
        if (write(file.number(), part.data(), part.size()) != std::ssize(part))
          written = core::refuse_errno(name);
        return written.has_value();
      });
  if (read && written) return 0;
  (void)std::remove(name.c_str());
  return std::unexpected(written ? recording_error(read.error(), words["ID"]) : written.error());
}

core::Result<int> remove_recordings(const Api& api, const Words& words) {
  const auto ids = words.all("ID");
  if (!is_confirmed("Remove " + std::to_string(ids.size()) +
                    (ids.size() == 1 ? " recording?" : " recordings?")))
    return 1;
  int code = 0;
  for (const auto& id : ids) {
    const auto removed = api.remove(recording_path(id));
    if (removed) {
      std::cout << "recording " << msg::shown(id) << " removed\n";
      continue;
    }
    const auto error = recording_error(removed.error(), id);
    if (ids.size() == 1) return std::unexpected(error);
    std::cerr << "recording " << msg::shown(id) << ": " << error.detail << "\n";
    code = 1;
  }
  return code;
}

}  // namespace nucleus::client
