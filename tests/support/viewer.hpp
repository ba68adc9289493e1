// A console viewer for tests: a WebSocket client in which every wait has a deadline.
#pragma once

#include <memory>
#include <string>
#include <utility>

namespace nucleus::tests {

class Viewer {
 public:
  /// `url` is ws://ADDRESS:PORT/PATH.
  explicit Viewer(const std::string& url);
  ~Viewer();
  Viewer(const Viewer&) = delete;
  Viewer& operator=(const Viewer&) = delete;

  /// The handshake's HTTP status: 101 if the WebSocket is open; 0 without a response. A browser
  /// sends the origin of its page.
  unsigned open(const std::string& protocols, const std::string& origin = {});
  /// Reads until the bytes end with `text`, or the connection ends.
  std::string read_to(const std::string& text);
  /// The same of its text messages. Both keep what the other one reads.
  std::string read_text_to(const std::string& text);
  /// Reads until there are so many bytes, or the connection ends.
  std::string read_bytes(std::size_t count_min);
  void write_text(const std::string& text);
  /// Disconnects without a closing handshake.
  void drop();
  /// Reads and drops at least so many bytes; false if the connection ends before.
  bool skip(std::size_t bytes);
  /// The server's close reason; empty if it only disconnected.
  std::string read_to_close();
  unsigned close_code() const;
  void write(const std::string& bytes);
  bool is_binary() const;
  const std::string& body() const;
  const std::string& protocol() const;
  /// A plain GET: status and body.
  std::pair<unsigned, std::string> get(const std::string& path);
  /// Everything the server sends in response to these bytes, until it closes.
  std::string send_raw(const std::string& bytes);

 private:
  struct Socket;
  std::unique_ptr<Socket> socket_;
};

}  // namespace nucleus::tests
