#include "client/http/http_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "client/http/url.hpp"
#include "client/terminal/interrupt.hpp"

namespace nucleus::client {

using core::ErrorCode;
using Clock = std::chrono::steady_clock;

namespace {

constexpr long connect_s_max = 5;
constexpr long upload_buffer_bytes = 256 * 1024;
constexpr std::size_t response_bytes_max = std::size_t{256} << 20;
constexpr std::size_t reserved_bytes_max = std::size_t{16} << 20;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// One request in progress: what libcurl's callbacks read and write.
class Transfer {
 public:
  Transfer(CURL* handle, const Request& request, const TakePart& take)
      : handle_{handle}, request_{request}, take_{take} {}
  ~Transfer() {
    // The handle outlives this object, so it must keep no pointer to it.
    curl_easy_reset(handle_);
    curl_slist_free_all(headers_);
    curl_mime_free(form_);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  core::Result<Response> run(const std::string& ca_file) {
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PATH_AS_IS, 1L);  // a cluster may be called `..`
    set(CURLOPT_ERRORBUFFER, fault_);
    set(CURLOPT_USERAGENT, "cm/" NUCLEUS_VERSION);
    set(CURLOPT_CONNECTTIMEOUT, connect_s_max);
    set_method();
    set_credential();
    set_authorities(ca_file);
    set_callbacks();
    for (const auto& [name, value] : request_.headers)
      headers_ = curl_slist_append(headers_, (name + ": " + value).c_str());
    set(CURLOPT_HTTPHEADER, headers_);
    last_byte_ = Clock::now();
    const CURLcode code = curl_easy_perform(handle_);
    if (code != CURLE_OK && !is_ended_) return std::unexpected(error_of(code));
    long status = 0;
    const char* redirect = nullptr;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle_, CURLINFO_REDIRECT_URL, &redirect);
    response_.status = static_cast<unsigned>(status);
    if (redirect) response_.redirect_url = redirect;
    response_.link = header("Link");
    response_.request_id = header("X-Request-Id");
    return std::move(response_);
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(handle_, option, value);
  }

  /// Empty if the response does not have it.
  std::string header(const char* name) const {
    curl_header* found = nullptr;
    return curl_easy_header(handle_, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value
                                                                                     : "";
  }

  void set_method() {
    if (request_.file) {
      file_.open(request_.file->path, std::ios::binary);
      file_.seekg(static_cast<std::streamoff>(request_.file->offset));
      set(CURLOPT_UPLOAD_BUFFERSIZE, upload_buffer_bytes);
    }
    if (request_.file && request_.file->file_name.empty()) {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request_.file->size_bytes));
      set(CURLOPT_READFUNCTION, read_file);
      set(CURLOPT_READDATA, this);
      set(CURLOPT_SEEKFUNCTION, rewind_file);
      set(CURLOPT_SEEKDATA, this);
    } else if (request_.file) {
      form_ = curl_mime_init(handle_);
      auto* field = curl_mime_addpart(form_);
      curl_mime_name(field, "composite");
      curl_mime_data(field, "NONE", CURL_ZERO_TERMINATED);
      field = curl_mime_addpart(form_);
      curl_mime_name(field, "file");
      curl_mime_filename(field, request_.file->file_name.c_str());
      curl_mime_type(field, "application/octet-stream");
      curl_mime_data_cb(field, static_cast<curl_off_t>(request_.file->size_bytes), read_file,
                        rewind_file, nullptr, this);
      set(CURLOPT_MIMEPOST, form_);
    } else if (request_.method != "GET" && request_.method != "DELETE") {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
      set(CURLOPT_POSTFIELDS, request_.body.c_str());
    }
    if (request_.method == "POST") set(CURLOPT_FRESH_CONNECT, 1L);
    if (request_.method != "POST" && request_.method != "GET")
      set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }

  void set_credential() {
    if (request_.reads_netrc) set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
    if (request_.username.empty()) return;
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(CURLOPT_USERNAME, request_.username.c_str());
    set(CURLOPT_PASSWORD, request_.password.c_str());
  }

  /// In the order of curl(1), which libcurl leaves to its callers.
  void set_authorities(const std::string& ca_file) {
    std::string file = ca_file;
    if (file.empty()) file = variable("CURL_CA_BUNDLE");
    if (file.empty()) {
      file = variable("SSL_CERT_FILE");
      if (const auto folder = variable("SSL_CERT_DIR"); !folder.empty())
        set(CURLOPT_CAPATH, folder.c_str());
    }
    if (!file.empty()) set(CURLOPT_CAINFO, file.c_str());
  }

  void set_callbacks() {
    set(CURLOPT_BUFFERSIZE, static_cast<long>(CURL_MAX_READ_SIZE));  // lists are long
    set(CURLOPT_WRITEFUNCTION, write_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, note_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_XFERINFOFUNCTION, check_progress);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
  }

  static std::size_t write_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->take_body({bytes, size * count});
  }
  std::size_t take_body(std::string_view part) {
    last_byte_ = Clock::now();
    long status = 0;
    curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
    if (take_ && status == 200) {
      is_ended_ = !take_(part);
      // Time spent in `take` is not silence of the server.
      last_byte_ = Clock::now();
      return is_ended_ ? CURL_WRITEFUNC_ERROR : part.size();
    }
    if (response_.body.size() + part.size() > response_bytes_max) {
      reason_ = "the response is over 256 MiB";
      return CURL_WRITEFUNC_ERROR;
    }
    if (response_.body.empty()) reserve_body();
    response_.body += part;
    return part.size();
  }
  /// Else the body moves each time it doubles.
  void reserve_body() {
    curl_off_t size = 0;
    curl_easy_getinfo(handle_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    if (size > 0)
      response_.body.reserve(std::min(static_cast<std::size_t>(size), reserved_bytes_max));
  }

  static std::size_t note_header(char*, std::size_t size, std::size_t count, void* self) {
    static_cast<Transfer*>(self)->last_byte_ = Clock::now();
    return size * count;
  }

  static std::size_t read_file(char* bytes, std::size_t size, std::size_t count, void* self) {
    return static_cast<Transfer*>(self)->send_file(bytes, size * count);
  }
  /// No more than the size that was announced, even if the file grows meanwhile.
  std::size_t send_file(char* bytes, std::size_t space) {
    last_byte_ = Clock::now();
    const auto wanted = std::min<std::uint64_t>(space, request_.file->size_bytes - read_);
    file_.read(bytes, static_cast<std::streamsize>(wanted));
    const auto count = static_cast<std::size_t>(file_.gcount());
    read_ += count;
    if (count > 0 || wanted == 0) return count;
    reason_ = request_.file->path + " became shorter while it was sent";
    return CURL_READFUNC_ABORT;
  }
  static int rewind_file(void* self, curl_off_t offset, int origin) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    transfer.file_.clear();
    transfer.read_ = static_cast<std::uint64_t>(offset);
    return transfer.file_.seekg(static_cast<std::streamoff>(transfer.request_.file->offset) +
                                offset)
               ? CURL_SEEKFUNC_OK
               : CURL_SEEKFUNC_FAIL;
  }

  static int check_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t sent) {
    return static_cast<Transfer*>(self)->check_silence(static_cast<std::uint64_t>(sent));
  }
  /// Called at least once a second; anything but 0 ends the transfer.
  int check_silence(std::uint64_t sent) {
    if (sent != sent_) last_byte_ = Clock::now();
    sent_ = sent;
    if (request_.file && request_.file->on_progress) request_.file->on_progress(sent);
    if (is_interrupted()) {
      reason_ = "interrupted";
      return 1;
    }
    if (Clock::now() - last_byte_ < request_.silence_max) return 0;
    reason_ = "no answer for " + std::to_string(request_.silence_max.count()) + " s";
    return 1;
  }

  core::Error error_of(CURLcode code) const {
    const std::string origin = origin_of(request_.url);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
      return {.code = ErrorCode::unavailable,
              .detail = origin + ": cannot verify the server's certificate (" + reason(code) +
                        "); set ca_file or NUCLEUS_CA_FILE to the CA that issued it"};
    if (code == CURLE_SSL_CACERT_BADFILE)
      return {.code = ErrorCode::invalid_argument,
              .detail = origin + ": cannot read the CA file: " + reason(code)};
    return {.code = ErrorCode::unavailable, .detail = origin + ": " + reason(code)};
  }
  std::string reason(CURLcode code) const {
    if (!reason_.empty()) return reason_;
    return *fault_ ? fault_ : curl_easy_strerror(code);
  }

  CURL* handle_;
  const Request& request_;
  const TakePart& take_;
  curl_slist* headers_ = nullptr;
  curl_mime* form_ = nullptr;
  std::ifstream file_ = {};
  std::uint64_t read_ = 0;  // of the file
  char fault_[CURL_ERROR_SIZE] = {};
  std::string reason_ = {};  // why a callback ended the transfer
  bool is_ended_ = false;    // `take` needs no more
  std::uint64_t sent_ = 0;   // of the request
  Clock::time_point last_byte_ = {};
  Response response_ = {};
};

}  // namespace

HttpClient::HttpClient(std::string ca_file)
    : ca_file_{std::move(ca_file)}, handle_{curl_easy_init(), curl_easy_cleanup} {}
HttpClient::~HttpClient() = default;

core::Result<Response> HttpClient::send(const Request& request, const TakePart& take) {
  if (!handle_) return core::refuse(ErrorCode::internal, "libcurl cannot be initialized");
  return Transfer(handle_.get(), request, take).run(ca_file_);
}

}  // namespace nucleus::client
