#include "services/provisioner/driver/tus_client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

constexpr long tus_connect_timeout_s = 5;
constexpr long tus_stall_timeout_s = 30;
constexpr std::uint64_t tus_part_bytes_max = 32 << 20;  // durable at the server after each

core::Error store_error(ErrorCode code, const std::string& detail) {
  return {.code = code, .detail = "the image store " + detail};
}

/// One connection, which serves one request after the other.
class TusLink {
 public:
  TusLink(const TusUpload& upload, const std::atomic<bool>& is_cancelled)
      : upload_{upload}, is_cancelled_{is_cancelled} {
    for (const auto& line :
         {"Authorization: Bearer " + upload.ticket, std::string("Tus-Resumable: 1.0.0")})
      headers_ = curl_slist_append(headers_, line.c_str());
  }
  ~TusLink() {
    curl_easy_cleanup(handle_);
    curl_slist_free_all(headers_);
  }
  TusLink(const TusLink&) = delete;
  TusLink& operator=(const TusLink&) = delete;

  /// The bytes that the server has.
  core::Result<std::uint64_t> offset() {
    reset(headers_);
    set(CURLOPT_NOBODY, 1L);
    if (auto done = perform(200); !done) return std::unexpected(done.error());
    const auto length = number_in("Upload-Length");
    const auto offset = number_in("Upload-Offset");
    if (!length || !offset || *offset > *length)
      return std::unexpected(store_error(ErrorCode::unavailable, "gives no offset"));
    if (*length == upload_.size_bytes) return *offset;
    return std::unexpected(
        store_error(ErrorCode::wrong_state,
                    fmt::format("expects {} bytes, not {}", *length, upload_.size_bytes)));
  }

  /// Sends one part; the bytes that the server has then.
  core::Result<std::uint64_t> send_part(std::uint64_t from) {
    first_ = next_ = from;
    end_ = std::min(upload_.size_bytes, from + tus_part_bytes_max);
    curl_slist* headers = nullptr;
    for (const auto* line = headers_; line; line = line->next)
      headers = curl_slist_append(headers, line->data);
    headers = curl_slist_append(headers, fmt::format("Upload-Offset: {}", from).c_str());
    headers = curl_slist_append(headers, "Content-Type: application/offset+octet-stream");
    headers = curl_slist_append(headers, "Expect:");
    reset(headers);
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_CUSTOMREQUEST, "PATCH");
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(end_ - from));
    set(CURLOPT_READFUNCTION, read);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_SEEKFUNCTION, seek);
    set(CURLOPT_SEEKDATA, this);
    set(CURLOPT_MAX_SEND_SPEED_LARGE, static_cast<curl_off_t>(upload_.bytes_per_s_max));
    auto done = perform(204);
    curl_slist_free_all(headers);
    if (!done) return std::unexpected(done.error());
    const auto offset = number_in("Upload-Offset");
    if (offset && *offset > from && *offset <= end_) return *offset;
    return std::unexpected(store_error(ErrorCode::unavailable, "gives no offset"));
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(handle_, option, value);
  }

  /// The connection stays.
  void reset(curl_slist* headers) {
    curl_easy_reset(handle_);
    set(CURLOPT_URL, upload_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "https");
    set(CURLOPT_CAINFO, upload_.ca_file.c_str());
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_CONNECTTIMEOUT, tus_connect_timeout_s);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, tus_stall_timeout_s);
    set(CURLOPT_WRITEFUNCTION, discard);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, look);
    set(CURLOPT_XFERINFODATA, this);
  }

  core::Result<void> perform(long expected_status) {
    const CURLcode code = curl_easy_perform(handle_);
    if (is_cancelled_) return core::refuse(ErrorCode::unavailable, "the transfer was cancelled");
    if (is_file_short_) return core::refuse(ErrorCode::unavailable, "the layer cannot be read");
    if (code != CURLE_OK)
      return std::unexpected(store_error(
          ErrorCode::unavailable, std::string("does not answer: ") + curl_easy_strerror(code)));
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    if (status == expected_status) return {};
    if (status == 401 || status == 404 || status == 410)
      return std::unexpected(store_error(ErrorCode::not_found, "has no such upload"));
    return std::unexpected(
        store_error(ErrorCode::unavailable, fmt::format("answers HTTP {}", status)));
  }

  std::optional<std::uint64_t> number_in(const char* name) {
    curl_header* header = nullptr;
    if (curl_easy_header(handle_, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
      return std::nullopt;
    const std::string_view text = header->value;
    std::uint64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
  }

  static std::size_t discard(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
  }
  static int look(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<TusLink*>(self)->is_cancelled_ ? 1 : 0;
  }
  static std::size_t read(char* into, std::size_t size, std::size_t count, void* self) {
    auto& link = *static_cast<TusLink*>(self);
    if (link.is_cancelled_) return CURL_READFUNC_ABORT;
    const auto wanted = std::min<std::uint64_t>(size * count, link.end_ - link.next_);
    ssize_t got = 0;
    do got = pread(link.upload_.file, into, wanted, static_cast<off_t>(link.next_));
    while (got < 0 && errno == EINTR);
    link.is_file_short_ = got < 0 || (got == 0 && wanted > 0);
    if (link.is_file_short_) return CURL_READFUNC_ABORT;
    link.next_ += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }
  /// A part is sent again if its connection turns out to be closed.
  static int seek(void* self, curl_off_t offset, int origin) {
    auto& link = *static_cast<TusLink*>(self);
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    link.next_ = link.first_ + static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

  const TusUpload& upload_;
  const std::atomic<bool>& is_cancelled_;
  CURL* handle_ = curl_easy_init();
  curl_slist* headers_ = nullptr;
  std::uint64_t first_ = 0;  // of the part being sent
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;
  bool is_file_short_ = false;
};

}  // namespace

core::Result<void> send_by_tus(const TusUpload& upload, std::atomic<std::uint64_t>& sent_bytes,
                               const std::atomic<bool>& is_cancelled) {
  TusLink link(upload, is_cancelled);
  auto offset = link.offset();
  while (offset) {
    sent_bytes = *offset;
    if (*offset == upload.size_bytes) return {};
    offset = link.send_part(*offset);
  }
  return std::unexpected(offset.error());
}

}  // namespace nucleus::provisioner
