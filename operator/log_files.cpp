#include "operator/log_files.hpp"

#include <filesystem>

#include "core/log/log.hpp"

namespace nucleus::operator_ {

namespace fs = std::filesystem;

void limit_logs(const std::string& directory, std::uint64_t bytes_max) {
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(directory, fault)) {
    const auto& path = entry.path();
    if (path.extension() != ".log" || entry.file_size(fault) <= bytes_max || fault) continue;
    const fs::path copy = path.string() + ".1.new";
    fs::copy_file(path, copy, fs::copy_options::overwrite_existing, fault);
    if (!fault) fs::rename(copy, path.string() + ".1", fault);
    if (!fault) fs::resize_file(path, 0, fault);
    if (!fault) continue;
    core::log::warning("log_not_moved", {{"log", path.string()}, {"reason", fault.message()}});
    std::error_code ignored;
    fs::remove(copy, ignored);
  }
}

}  // namespace nucleus::operator_
