// The portal's files, read once at the start. Pages are checked with each visit; the modules, whose
// path contains the hash of them all, never change. All are sent with strict security headers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gateway/routing/exchange.hpp"

namespace nucleus::gateway {

class PortalFiles {
 public:
  /// Reads the files of `directory`: pages, and a folder of modules. None if it is empty. The pages
  /// may connect to the origins of `urls`.
  PortalFiles(const std::string& directory, const std::vector<std::string>& urls);

  /// GET of the pages and of the modules.
  void add_routes(Router& router);

 private:
  struct File {
    std::string text = {};
    std::string packed = {};  // with gzip; empty = it has no packed form
    std::string hash = {};    // of `text`
  };

  void serve(const ExchangePtr& exchange, const std::string& path) const;
  core::http::Headers headers_of(const Exchange& exchange, const std::string& path) const;

  std::map<std::string, File> files_ = {};  // by path within the directory
  std::string origins_ = {};                // each after a space
};

}  // namespace nucleus::gateway
