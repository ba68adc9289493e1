// Reads tables of the documents, for tests that compare them with the code.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace nucleus::tests {

using TableRow = std::vector<std::string>;

inline std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// Splits at the separator and trims the parts.
inline std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(trimmed(part));
  return parts;
}

/// The rows, without the header, of the first table after the first line that contains `after`.
/// `file` is relative to the source directory.
inline std::vector<TableRow> read_table(const std::string& file, const std::string& after) {
  std::ifstream input(std::string(NUCLEUS_SOURCE_DIR) + "/" + file);
  std::vector<TableRow> rows;
  bool is_after_heading = false;
  for (std::string line; std::getline(input, line);) {
    is_after_heading |= line.find(after) != std::string::npos;
    if (!is_after_heading) continue;
    if (line.starts_with("|")) {
      auto cells = split(line.substr(1), '|');
      rows.push_back(std::move(cells));
    } else if (!rows.empty()) {
      break;
    }
  }
  if (rows.size() < 3) throw std::runtime_error(file + " has no table after: " + after);
  rows.erase(rows.begin(), rows.begin() + 2);  // the header
  return rows;
}

}  // namespace nucleus::tests
