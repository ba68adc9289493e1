#include "gateway/portal/portal_files.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/digest/digest.hpp"
#include "core/http/gzip.hpp"
#include "gateway/routing/origin.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

constexpr std::size_t files_max = 1'000;

std::string text_of_file(const std::filesystem::path& path) {
  std::ifstream input(path, std::ios::binary);
  std::ostringstream text;
  text << input.rdbuf();
  return std::move(text).str();
}

std::string type_of_file(const std::string& path) {
  const auto ends = [&](const char* with) { return path.ends_with(with); };
  if (ends(".html")) return "text/html; charset=utf-8";
  if (ends(".js")) return "text/javascript; charset=utf-8";
  if (ends(".css")) return "text/css; charset=utf-8";
  if (ends(".svg")) return "image/svg+xml";
  if (ends(".json")) return "application/json";
  return "text/plain; charset=utf-8";
}

/// Pages load nothing but the gateway's own files, and connect to it and to `origins` alone.
std::string content_policy(const std::string& base_url, const std::string& origins) {
  const std::string socket_origin = "ws" + origin_of(base_url).substr(std::string("http").size());
  return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
         "connect-src 'self' " +
         socket_origin + origins +
         "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
         "require-trusted-types-for 'script'; trusted-types 'none'";
}

}  // namespace

PortalFiles::PortalFiles(const std::string& directory, const std::vector<std::string>& urls) {
  for (const auto& url : urls)
    if (const auto origin = origin_of(url); !origin.empty()) origins_ += " " + origin;
  namespace fs = std::filesystem;
  std::error_code fault;
  if (directory.empty()) return;
  for (fs::recursive_directory_iterator each(directory, fault), end; !fault && each != end;
       each.increment(fault)) {
    const std::string path = fs::relative(each->path(), directory).generic_string();
    if (!each->is_regular_file() || path.ends_with(".gz") || files_.size() == files_max) continue;
    File file{.text = text_of_file(each->path()),
              .packed = text_of_file(each->path().string() + ".gz")};
    file.hash = core::sha256_hex(file.text).substr(0, 32);
    files_.emplace(path, std::move(file));
  }
}

void PortalFiles::add_routes(Router& router) {
  const auto page = [&](const std::string& pattern, const std::string& file) {
    router.add_public("GET", pattern,
                      [this, file](const ExchangePtr& exchange) { serve(exchange, file); });
  };
  page("/", "index.html");
  page("/console/", "console.html");
  page("/docs/", "docs.html");
  page("/openapi.json", "openapi.json");
  router.add_public("GET", "/portal/{build}/{file}", [this](const ExchangePtr& exchange) {
    serve(exchange, exchange->path["build"] + "/" + exchange->path["file"]);
  });
  router.add_public("GET", "/portal/{build}/{folder}/{file}", [this](const ExchangePtr& exchange) {
    serve(exchange,
          exchange->path["build"] + "/" + exchange->path["folder"] + "/" + exchange->path["file"]);
  });
}

core::http::Headers PortalFiles::headers_of(const Exchange& exchange,
                                            const std::string& path) const {
  core::http::Headers headers{{"X-Content-Type-Options", "nosniff"},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cross-Origin-Resource-Policy", "same-origin"},
                              {"Vary", "Accept-Encoding"}};
  const bool is_module = path.find('/') != path.npos;
  headers["Cache-Control"] = is_module ? "public, max-age=31536000, immutable" : "no-cache";
  if (!path.ends_with(".html")) return headers;
  headers["Content-Security-Policy"] = content_policy(exchange.base_url, origins_);
  headers["Cross-Origin-Opener-Policy"] = "same-origin";
  return headers;
}

void PortalFiles::serve(const ExchangePtr& exchange, const std::string& path) const {
  const auto found = files_.find(path);
  if (found == files_.end())
    return exchange->refuse(ErrorCode::not_found, "this gateway has no such page");
  const auto& file = found->second;
  auto headers = headers_of(*exchange, path);
  const bool is_packed = !file.packed.empty() && core::http::accepts_gzip(exchange->request);
  headers["ETag"] = "\"" + file.hash + (is_packed ? ".gz\"" : "\"");
  if (is_packed) headers["Content-Encoding"] = "gzip";
  exchange->reply_text(200, is_packed ? file.packed : file.text, type_of_file(path),
                       std::move(headers));
}

}  // namespace nucleus::gateway
