#include "services/provisioner/driver/switch_watch.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

namespace nucleus::provisioner {

namespace {

using Json = nlohmann::json;
using Protocol = boost::asio::local::stream_protocol;

constexpr std::chrono::seconds connect_again{2};

/// OpenFlow 1.0, which has Open vSwitch's flow monitor as an extension.
constexpr std::uint8_t openflow_version = 1;
constexpr std::size_t header_bytes = 8;
constexpr std::string_view own_transaction = "0001";
enum class Type : std::uint8_t {
  hello = 0,
  error = 1,
  echo_request = 2,
  echo_reply = 3,
};
struct Header {
  Type type = {};
  std::string transaction_id = {};  // 4 bytes
};

void send(std::iostream& stream, std::string message) {
  stream.write(message.data(), static_cast<std::streamsize>(message.size()));
  stream.flush();
}

std::string openflow(std::uint8_t type, std::string_view transaction_id, std::string_view body) {
  const auto bytes = header_bytes + body.size();
  std::string message{static_cast<char>(openflow_version), static_cast<char>(type),
                      static_cast<char>(bytes >> 8), static_cast<char>(bytes & 0xff)};
  return message.append(transaction_id).append(body);
}
std::string openflow(Type type, std::string_view transaction_id) {
  return openflow(static_cast<std::uint8_t>(type), transaction_id, {});
}

/// NXST_FLOW_MONITOR: flows that are added (0x2), deleted (0x4) or modified (0x8), in all tables,
/// to any port. The layout is that of Open vSwitch's nicira-ext.h.
std::string flow_monitor_request() {
  using namespace std::string_view_literals;
  constexpr std::uint8_t statistics_request = 16;
  return openflow(statistics_request, own_transaction,
                  "\xff\xff\0\0"        // statistics of a vendor
                  "\0\0\x23\x20"        // the vendor
                  "\0\0\0\x02\0\0\0\0"  // its flow monitor
                  "\0\0\0\x01"          // the monitor's id
                  "\0\x0e\xff\xff\0\0"  // what is told, out_port, length of a match
                  "\xff\0\0\0\0\0"sv);  // table
}

/// Reads a message whole; nothing at the end of the connection.
std::optional<Header> read_message(std::istream& stream) {
  std::array<char, header_bytes> header{};
  if (!stream.read(header.data(), header.size())) return std::nullopt;
  const std::string_view read{header.data(), header.size()};
  const auto bytes = static_cast<std::size_t>(static_cast<std::uint8_t>(read[2]) << 8 |
                                              static_cast<std::uint8_t>(read[3]));
  if (bytes < header_bytes) return std::nullopt;
  // Not ignore(): it waits for one byte more.
  std::string body(bytes - header_bytes, '\0');
  if (!stream.read(body.data(), static_cast<std::streamsize>(body.size()))) return std::nullopt;
  return Header{.type = static_cast<Type>(read[1]), .transaction_id = std::string(read.substr(4))};
}

Json ports_monitor_request() {
  const Json columns{
      {"Bridge", {{"columns", {"ports", "fail_mode", "controller", "mirrors", "flood_vlans"}}}},
      {"Port", {{"columns", {"name", "tag", "trunks", "vlan_mode"}}}},
      {"Interface", {{"columns", {"name", "ofport", "link_state", "admin_state"}}}}};
  return {{"method", "monitor"}, {"id", 0}, {"params", {"Open_vSwitch", nullptr, columns}}};
}

}  // namespace

SwitchWatch::SwitchWatch(Options options) {
  const auto flows = options.run_directory + "/" + options.bridge + ".mgmt";
  const auto ports = options.run_directory + "/db.sock";
  flows_.thread = std::thread([this, flows] { run(flows_, flows, &SwitchWatch::watch_flows); });
  ports_.thread = std::thread([this, ports] { run(ports_, ports, &SwitchWatch::watch_ports); });
}

SwitchWatch::~SwitchWatch() {
  {
    const std::scoped_lock lock{mutex_};
    is_ending_ = true;
    for (const auto* link : {&flows_, &ports_})
      if (link->descriptor >= 0) shutdown(link->descriptor, SHUT_RDWR);
  }
  ended_.notify_all();
  flows_.thread.join();
  ports_.thread.join();
}

void SwitchWatch::run(Link& link, const std::string& path,
                      void (SwitchWatch::*watch)(Link&, std::iostream&)) {
  std::unique_lock lock{mutex_};
  while (!is_ending_) {
    Protocol::iostream stream;
    // A unix socket accepts at once, or refuses.
    stream.connect(Protocol::endpoint(path));
    if (stream) {
      link.descriptor = stream.socket().native_handle();
      lock.unlock();
      (this->*watch)(link, stream);
      note(link, false);
      lock.lock();
      link.descriptor = -1;
    }
    ended_.wait_for(lock, connect_again, [&] { return is_ending_; });
  }
}

void SwitchWatch::note(Link& link, bool is_watching) {
  link.is_watching = is_watching;
  ++changes_;
}

/// Until the connection ends, or the switch refuses.
void SwitchWatch::watch_flows(Link& link, std::iostream& stream) {
  send(stream, openflow(Type::hello, own_transaction) + flow_monitor_request());
  while (const auto message = read_message(stream)) {
    if (message->type == Type::error) return;
    if (message->type == Type::echo_request)
      send(stream, openflow(Type::echo_reply, message->transaction_id));
    else if (message->type != Type::hello)
      note(link, true);
  }
}

void SwitchWatch::watch_ports(Link& link, std::iostream& stream) {
  send(stream, ports_monitor_request().dump());
  try {
    for (Json message; stream >> message;) {
      const auto method = message.value("method", Json{});
      if (method == "echo")
        send(stream,
             Json{{"id", message.at("id")}, {"result", Json::array()}, {"error", nullptr}}.dump());
      else if (method.is_null() && !message.at("error").is_null())
        return;
      else
        note(link, true);
    }
  } catch (const Json::exception&) {
    return;  // the end of the connection, or something that is no JSON
  }
}

}  // namespace nucleus::provisioner
