// A test CA with the certificate of a server on 127.0.0.1, made by openssl(1).
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "core/runtime/child_process.hpp"
#include "core/tls/certificate.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {

class Authority {
 public:
  Authority() {
    run({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
         "/CN=test CA", "-days", "1", "-keyout", file("ca.key"), "-out", ca_file()});
    run({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", files().key, "-out",
         file("site.csr")});
    run({"x509", "-req", "-in", file("site.csr"), "-CA", ca_file(), "-CAkey", file("ca.key"),
         "-days", "1", "-copy_extensions", "copy", "-out", files().certificate});
  }

  std::string ca_file() const { return file("ca.pem"); }
  core::CertificateFiles files() const {
    return {.certificate = file("site.pem"), .key = file("site.key")};
  }
  std::shared_ptr<core::Certificate> certificate() const {
    auto opened = core::Certificate::open(files());
    if (!opened) throw std::runtime_error(opened.error().detail);
    return *opened;
  }

 private:
  std::string file(const std::string& name) const { return folder_.file(name); }
  static void run(std::vector<std::string> words) {
    words.insert(words.begin(), "openssl");
    if (const auto ran = core::must_run_child({.argv = words}); !ran)
      throw std::runtime_error(ran.error().detail);
  }

  TemporaryFolder folder_ = {};
};

}  // namespace nucleus::tests
