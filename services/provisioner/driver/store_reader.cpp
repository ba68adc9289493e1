#include "services/provisioner/driver/store_reader.hpp"

#include <curl/curl.h>

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

constexpr long stall_bytes_per_s = 1;

}  // namespace

struct StoreReader::Transfer {
  ReaderOptions options;
  CURL* handle = curl_easy_init();
  curl_slist* headers = nullptr;
  std::string body = {};

  explicit Transfer(ReaderOptions chosen) : options{std::move(chosen)} {}
  ~Transfer() {
    curl_easy_cleanup(handle);
    curl_slist_free_all(headers);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  static std::size_t take(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& body = static_cast<Transfer*>(self)->body;
    if (body.size() + size * count > range_bytes_max) return CURL_WRITEFUNC_ERROR;
    body.append(bytes, size * count);
    return size * count;
  }
};

StoreReader::StoreReader(ReaderOptions options, const std::string& ticket)
    : transfer_{std::make_unique<Transfer>(std::move(options))} {
  set_ticket(ticket);
}

StoreReader::~StoreReader() = default;

core::Result<void> StoreReader::perform(const std::string& url, int expected_status) {
  auto& [options, handle, headers, body] = *transfer_;
  const auto set = [handle = handle](CURLoption option, auto value) {
    curl_easy_setopt(handle, option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "https");
  curl_blob authority{
      .data = options.authority.data(), .len = options.authority.size(), .flags = CURL_BLOB_NOCOPY};
  if (options.authority.empty())
    set(CURLOPT_CAINFO, options.ca_file.c_str());
  else
    set(CURLOPT_CAINFO_BLOB, &authority);
  set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // no others
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_CONNECTTIMEOUT, options.connect_timeout_s);
  set(CURLOPT_TIMEOUT, options.transfer_timeout_s);
  set(CURLOPT_LOW_SPEED_LIMIT, options.stall_timeout_s > 0 ? stall_bytes_per_s : 0L);
  set(CURLOPT_LOW_SPEED_TIME, options.stall_timeout_s);
  set(CURLOPT_WRITEFUNCTION, Transfer::take);
  set(CURLOPT_WRITEDATA, transfer_.get());
  body.clear();
  const CURLcode code = curl_easy_perform(handle);
  // Libcurl's longer texts name the store's address; the node's owner sees this one.
  if (code != CURLE_OK)
    return core::refuse(ErrorCode::unavailable, std::string("the image store does not answer: ") +
                                                    curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (status == expected_status) return {};
  if (status == 401 || status == 404)
    return core::refuse(ErrorCode::not_found, "the image store has no such file for this node");
  return core::refuse(ErrorCode::unavailable,
                      "the image store answers HTTP " + std::to_string(status));
}

void StoreReader::set_ticket(const std::string& ticket) {
  auto& headers = transfer_->headers;
  curl_slist_free_all(headers);
  headers = curl_slist_append(nullptr, ("Authorization: Bearer " + ticket).c_str());
}

core::Result<std::string> StoreReader::get(const std::string& url) {
  auto done = perform(url, 200);
  if (!done) return std::unexpected(done.error());
  return std::move(transfer_->body);
}

core::Result<std::string> StoreReader::post(const std::string& url, const std::string& body) {
  auto* handle = transfer_->handle;
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, body.c_str());
  auto done = perform(url, 200);
  curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  if (!done) return std::unexpected(done.error());
  return std::move(transfer_->body);
}

core::Result<void> StoreReader::put(const std::string& url, const std::string& body) {
  auto* handle = transfer_->handle;
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, body.c_str());
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "PUT");
  auto done = perform(url, 204);
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, static_cast<const char*>(nullptr));
  curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  return done;
}

core::Result<std::uint64_t> StoreReader::size_bytes(const std::string& url) {
  auto* handle = transfer_->handle;
  curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  auto done = perform(url, 200);
  curl_easy_setopt(handle, CURLOPT_NOBODY, 0L);
  curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  if (!done) return std::unexpected(done.error());
  curl_off_t size = -1;
  curl_easy_getinfo(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
  if (size < 0) return core::refuse(ErrorCode::unavailable, "the image store gives no size");
  return static_cast<std::uint64_t>(size);
}

core::Result<std::string> StoreReader::read(const std::string& url, std::uint64_t first,
                                            std::uint64_t count) {
  const auto range = std::to_string(first) + "-" + std::to_string(first + count - 1);
  curl_easy_setopt(transfer_->handle, CURLOPT_RANGE, range.c_str());
  auto done = perform(url, 206);
  curl_easy_setopt(transfer_->handle, CURLOPT_RANGE, nullptr);
  if (!done) return std::unexpected(done.error());
  if (transfer_->body.size() != count)
    return core::refuse(ErrorCode::unavailable, "the image store's answer is incomplete");
  return std::move(transfer_->body);
}

}  // namespace nucleus::provisioner
