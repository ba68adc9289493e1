// A Beast body that passes its parts to a BodySink as they arrive.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>
#include <cerrno>

#include "core/files/descriptor.hpp"
#include "core/http/http.hpp"

namespace nucleus::core::http {

struct SinkBody {
  using value_type = std::shared_ptr<BodySink>;

  class reader {
   public:
    template <bool is_request, class Fields>
    reader(boost::beast::http::header<is_request, Fields>&, value_type& sink) : sink_{sink} {}
    void init(const boost::optional<std::uint64_t>&, boost::beast::error_code& error) {
      error = {};
    }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::beast::error_code& error) {
      std::size_t taken = 0;
      for (auto at = boost::asio::buffer_sequence_begin(buffers);
           at != boost::asio::buffer_sequence_end(buffers); ++at) {
        const boost::asio::const_buffer part(*at);
        if (const int fault = sink_->write({static_cast<const char*>(part.data()), part.size()})) {
          error.assign(fault, boost::system::generic_category());
          return taken;
        }
        taken += part.size();
      }
      error = {};
      return taken;
    }
    void finish(boost::beast::error_code& error) { error = {}; }

   private:
    value_type& sink_;
  };
};

/// Writes to a new file, or over an existing one.
class FileSink final : public BodySink {
 public:
  explicit FileSink(const std::string& path)
      : file_{open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)},
        fault_{file_.is_open() ? 0 : errno} {}
  /// The errno of the open; 0 = it is open.
  int fault() const { return fault_; }
  int write(std::string_view part) override {
    while (!part.empty()) {
      const auto count = ::write(file_.number(), part.data(), part.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return errno;
      part.remove_prefix(static_cast<std::size_t>(count));
    }
    return 0;
  }

 private:
  Descriptor file_;
  int fault_;
};

/// The plan's sink, or one that writes to the plan's file.
inline std::shared_ptr<BodySink> sink_of(const BodyPlan& plan, boost::beast::error_code& error) {
  if (plan.sink) return plan.sink;
  auto file = std::make_shared<FileSink>(plan.file_path);
  if (file->fault() != 0) error.assign(file->fault(), boost::system::generic_category());
  return file;
}

}  // namespace nucleus::core::http
