#include "client/console/recording.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "client/api/json.hpp"
#include "core/files/files.hpp"
#include "core/text/utf8.hpp"

namespace nucleus::client {

std::string Asciicast::header(int columns, int rows, std::int64_t begin_unix_s) {
  constexpr int version = 2;
  return Json::object({{"version", version},
                       {"width", columns},
                       {"height", rows},
                       {"timestamp", begin_unix_s}})
             .dumped() +
         "\n";
}

std::string Asciicast::output(std::chrono::milliseconds since, std::string_view bytes) {
  constexpr double ms_per_s = 1000;
  std::string text = std::exchange(unfinished_, {}) + std::string(bytes);
  const auto unfinished = core::utf8_unfinished(text);
  unfinished_ = text.substr(text.size() - unfinished);
  text.resize(text.size() - unfinished);
  if (text.empty()) return {};
  return fmt::format("[{:.3f}, \"o\", {}]\n", static_cast<double>(since.count()) / ms_per_s,
                     Json(text).dumped());
}

core::Result<std::unique_ptr<Recording>> Recording::open(const std::string& path, int columns,
                                                         int rows) {
  constexpr mode_t only_owner = 0600;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, only_owner);
  if (file < 0)
    return core::refuse(core::ErrorCode::invalid_argument,
                        core::refuse_errno("--record=" + path).error().detail, "--record");
  std::unique_ptr<Recording> recording(new Recording(path, file));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto written = recording->write_line(Asciicast::header(
      columns, rows, std::chrono::duration_cast<std::chrono::seconds>(now).count()));
  if (!written) return std::unexpected(written.error());
  return recording;
}

core::Result<void> Recording::add(std::string_view bytes) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin_);
  return write_line(asciicast_.output(since, bytes));
}

core::Result<void> Recording::write_line(const std::string& line) {
  // One call a line: whoever reads the file meanwhile finds whole lines.
  if (!line.empty() && write(file_.number(), line.data(), line.size()) != std::ssize(line))
    return core::refuse_errno(path_);
  return {};
}

}  // namespace nucleus::client
