#include "services/image_store/driver/url_fetcher.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>

#include "core/files/descriptor.hpp"
#include "messages/common.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

constexpr int redirects_max = 5;
constexpr long fetch_connect_timeout_s = 20;
constexpr long stalled_after_s = 60;  // without a byte

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;

/// Null if the text is not a URL.
Url parse_url(const std::string& text) {
  Url url{curl_url()};
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return nullptr;
  return url;
}

/// Empty if the URL has no such part.
std::string part_of(const Url& url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url.get(), part, &text, part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) !=
      CURLUE_OK)
    return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

std::string server_of(const Url& url) {
  return part_of(url, CURLUPART_SCHEME) + "://" + part_of(url, CURLUPART_HOST) + ":" +
         part_of(url, CURLUPART_PORT);
}

std::unexpected<core::Error> refuse_url(const std::string& reason) {
  return std::unexpected(msg::invalid("source_url", reason));
}

/// One GET of a range of the file, appended to what it has.
class Get {
 public:
  Get(const FetchRequest& request, int file) : request_{request}, file_{file} {
    const auto set = [handle = handle_](CURLoption option, auto value) {
      curl_easy_setopt(handle, option, value);
    };
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");  // a proxy would connect to addresses that are not checked here
    set(CURLOPT_CONNECTTIMEOUT, fetch_connect_timeout_s);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, stalled_after_s);
    set(CURLOPT_USERAGENT, "nucleus");
    if (!request.ca_file.empty()) set(CURLOPT_CAINFO, request.ca_file.c_str());
    set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    set(CURLOPT_OPENSOCKETDATA, this);
    set(CURLOPT_WRITEFUNCTION, take);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, is_to_end);
    set(CURLOPT_XFERINFODATA, this);
  }
  ~Get() { curl_easy_cleanup(handle_); }
  Get(const Get&) = delete;
  Get& operator=(const Get&) = delete;

  /// The HTTP status; the body of 200 and 206 was written to the file.
  core::Result<long> perform(const std::string& url, std::uint64_t offset) {
    size_ = offset;
    fault_ = {};
    curl_easy_setopt(handle_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle_, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(offset));
    const CURLcode code = curl_easy_perform(handle_);
    if (!fault_.detail.empty()) return std::unexpected(fault_);
    // The server has no ranges: once more from the beginning.
    if (code == CURLE_RANGE_ERROR && offset > 0) return 416;
    if (code != CURLE_OK)
      return core::refuse(ErrorCode::unavailable,
                          std::string("the server of source_url: ") + curl_easy_strerror(code));
    return status();
  }
  std::string redirected_to() const {
    char* url = nullptr;
    curl_easy_getinfo(handle_, CURLINFO_REDIRECT_URL, &url);
    return url ? url : "";
  }
  std::uint64_t size() const { return size_; }

 private:
  long status() const {
    long value = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &value);
    return value;
  }

  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* to) {
    auto& get = *static_cast<Get*>(self);
    boost::asio::ip::tcp::endpoint endpoint;
    if (to->addrlen > endpoint.capacity()) return CURL_SOCKET_BAD;
    std::memcpy(endpoint.data(), &to->addr, to->addrlen);
    if (!get.request_.allowed.contains(endpoint.address())) {
      get.fault_ = msg::invalid("source_url", "source_url names an address that is not public");
      return CURL_SOCKET_BAD;
    }
    get.fault_ = {};
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
  }

  static int is_to_end(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return *static_cast<Get*>(self)->request_.is_cancelled ? 1 : 0;
  }

  static std::size_t take(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& get = *static_cast<Get*>(self);
    const auto status = get.status();
    if (status != 200 && status != 206) return size * count;  // a page about an error
    return get.write({bytes, size * count}) ? size * count : CURL_WRITEFUNC_ERROR;
  }

  bool write(std::string_view bytes) {
    if (bytes.size() > request_.bytes_max - size_) {
      fault_ = msg::invalid("size", "the file at source_url is larger than " +
                                        std::to_string(request_.bytes_max) + " bytes");
      return false;
    }
    while (!bytes.empty()) {
      const auto count = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        fault_ = {.code = ErrorCode::no_capacity,
                  .detail = std::string("the image store cannot write the file: ") +
                            std::strerror(errno)};
        return false;
      }
      size_ += static_cast<std::uint64_t>(count);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  const FetchRequest& request_;
  int file_;
  CURL* handle_ = curl_easy_init();
  std::uint64_t size_ = 0;
  core::Error fault_ = {};  // what the transfer was ended for
};

/// The next address, if the server sends there, and it is the same server.
core::Result<std::string> follow(const Get& get, const std::string& from) {
  const auto to = get.redirected_to();
  const auto next = parse_url(to);
  if (!next) return refuse_url("the server of source_url redirects to what is not a URL");
  const auto server = server_of(next);
  if (server != server_of(parse_url(from)))
    return refuse_url("source_url redirects to another server: give the address there, " +
                      msg::shown(server));
  return to;
}

}  // namespace

core::Result<void> check_source_url(const std::string& url, bool has_sha256) {
  if (url.size() > source_url_bytes_max)
    return refuse_url("source_url must have at most " + std::to_string(source_url_bytes_max) +
                      " bytes");
  const auto parsed = parse_url(url);
  const auto scheme = parsed ? part_of(parsed, CURLUPART_SCHEME) : "";
  if (scheme != "https" && scheme != "http")
    return refuse_url("source_url must start with https:// or http://");
  if (part_of(parsed, CURLUPART_HOST).empty()) return refuse_url("source_url has no host");
  if (!part_of(parsed, CURLUPART_USER).empty() || !part_of(parsed, CURLUPART_PASSWORD).empty())
    return refuse_url(
        "source_url must have no user and password: everybody in the project sees it");
  if (scheme == "http" && !has_sha256)
    return refuse_url(
        "an http:// source_url needs sha256: nothing else tells whether the file is "
        "the right one");
  return {};
}

core::Result<std::uint64_t> fetch(const FetchRequest& request) {
  const core::Descriptor file(
      open(request.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open())
    return core::refuse(ErrorCode::unavailable,
                        std::string("the image store cannot open a file: ") + std::strerror(errno));
  const auto end = request.is_continued ? lseek(file.number(), 0, SEEK_END) : 0;
  auto offset = static_cast<std::uint64_t>(std::max<off_t>(end, 0));
  Get get(request, file.number());
  auto url = request.url;
  for (int redirects = 0; redirects <= redirects_max;) {
    if (ftruncate(file.number(), static_cast<off_t>(offset)) != 0)
      return core::refuse(ErrorCode::unavailable, "the image store cannot shorten a file");
    const auto status = get.perform(url, offset);
    if (!status) return std::unexpected(status.error());
    if (*status == 200 || *status == 206) {
      if (fsync(file.number()) != 0)
        return core::refuse(ErrorCode::unavailable, "the image store cannot sync a file");
      return get.size();
    }
    if (*status == 416 && offset > 0) {
      offset = 0;
    } else if (*status >= 300 && *status < 400) {
      auto next = follow(get, url);
      if (!next) return std::unexpected(next.error());
      url = *next;
      ++redirects;
    } else if (*status >= 500 || *status == 408 || *status == 429) {
      return core::refuse(ErrorCode::unavailable,
                          "the server of source_url answers HTTP " + std::to_string(*status));
    } else {
      return refuse_url("the server of source_url answers HTTP " + std::to_string(*status));
    }
  }
  return refuse_url("source_url redirects more than " + std::to_string(redirects_max) + " times");
}

}  // namespace nucleus::image_store
