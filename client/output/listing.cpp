#include "client/output/listing.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <iostream>

namespace nucleus::client {

namespace {

/// Calls `take` with each line of a cell.
template <class Take>
void for_lines(std::string_view cell, Take take) {
  while (true) {
    const auto end = cell.find('\n');
    take(cell.substr(0, end));
    if (end == std::string_view::npos) return;
    cell.remove_prefix(end + 1);
  }
}

std::string joined(std::string cell) {
  std::ranges::replace(cell, '\n', ';');
  return cell;
}

std::string key_of(const std::string& column) {
  std::string key;
  for (char c : column.substr(0, column.find('('))) key += static_cast<char>(std::tolower(c));
  return key;
}

/// Characters, not bytes: names may be UTF-8.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string table(const Listing& listing) {
  std::vector<std::size_t> widths;
  std::string rule = "+";
  for (std::size_t i = 0; i < listing.columns.size(); ++i) {
    std::size_t width = width_of(listing.columns[i]);
    for (const auto& row : listing.rows)
      for_lines(row[i], [&](std::string_view line) { width = std::max(width, width_of(line)); });
    widths.push_back(width);
    rule += std::string(width + 2, '-') + "+";
  }
  std::string text;
  text.reserve((rule.size() + 1) * (listing.rows.size() * 2 + 4));
  const auto cell = [&](std::string_view line, std::size_t column) {
    text += text.empty() || text.back() == '\n' ? "| " : " ";
    text += line;
    text.append(widths[column] - width_of(line), ' ');
    text += " |";
  };
  const auto row_of_cells = [&](const Row& row) {
    std::size_t height = 1;
    for (const auto& each : row)
      height = std::max(height, 1 + static_cast<std::size_t>(std::ranges::count(each, '\n')));
    for (std::size_t at = 0; at < height; ++at) {
      for (std::size_t column = 0; column < row.size(); ++column) {
        std::string_view shown;
        std::size_t number = 0;
        for_lines(row[column], [&](std::string_view line) {
          if (number++ == at) shown = line;
        });
        cell(shown, column);
      }
      text += '\n';
    }
  };
  text += rule + "\n";
  row_of_cells(listing.columns);
  text += rule + "\n";
  for (const auto& row : listing.rows) row_of_cells(row);
  text += rule;
  text += '\n';
  return text;
}

std::string csv_cell(const std::string& cell) {
  if (cell.find_first_of(",\"\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (char c : cell) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string csv(const Listing& listing) {
  std::string text;
  const auto line = [&](const Row& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i)
      text += (i ? "," : "") + csv_cell(joined(cells[i]));
    text += "\n";
  };
  line(listing.columns);
  for (const auto& row : listing.rows) line(row);
  return text;
}

std::string json(const Listing& listing) {
  auto all = Json::object();
  for (std::size_t i = 0; i < listing.rows.size(); ++i) {
    auto entry = Json::object();
    for (std::size_t column = 0; column < listing.columns.size(); ++column)
      entry.put(listing.columns[column], joined(listing.rows[i][column]));
    all.put(std::to_string(i), std::move(entry));
  }
  return all.dumped(4) + "\n";
}

std::string yaml(const Listing& listing) {
  YAML::Emitter text;
  text << YAML::BeginMap;
  for (std::size_t i = 0; i < listing.rows.size(); ++i) {
    text << YAML::Key << YAML::DoubleQuoted << std::to_string(i) << YAML::Value << YAML::BeginMap;
    for (std::size_t column = 0; column < listing.columns.size(); ++column)
      text << YAML::Key << listing.columns[column] << YAML::Value << YAML::DoubleQuoted
           << joined(listing.rows[i][column]);
    text << YAML::EndMap;
  }
  text << YAML::EndMap;
  return std::string(text.c_str()) + "\n";
}

}  // namespace

core::Result<Format> format_of(const std::string& name) {
  if (name == "table") return Format::table;
  if (name == "json") return Format::json;
  if (name == "yaml") return Format::yaml;
  if (name == "csv") return Format::csv;
  if (name == "rest") return Format::rest;
  return core::refuse(core::ErrorCode::invalid_argument,
                      "--format must be table, json, yaml, csv or rest", "format");
}

core::Result<void> Listing::sort_by(const std::string& key) {
  if (key.empty()) return {};
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (key_of(columns[i]) != key) continue;
    const bool is_number = std::ranges::all_of(rows, [i](const Row& row) {
      return !row[i].empty() &&
             std::ranges::all_of(row[i], [](char c) { return c >= '0' && c <= '9'; });
    });
    std::ranges::stable_sort(rows, [i, is_number](const Row& a, const Row& b) {
      if (is_number && a[i].size() != b[i].size()) return a[i].size() < b[i].size();
      return a[i] < b[i];
    });
    return {};
  }
  std::string keys;
  for (const auto& column : columns) keys += (keys.empty() ? "" : ", ") + key_of(column);
  return core::refuse(core::ErrorCode::invalid_argument, "--sort must be one of " + keys, "sort");
}

std::string rendered(const Listing& listing, Format format) {
  switch (format) {
    case Format::csv:
      return csv(listing);
    case Format::json:
      return json(listing);
    case Format::yaml:
      return yaml(listing);
    default:
      return table(listing);
  }
}

core::Result<int> print(const Listing& listing, const std::string& format, const Json& raw) {
  const auto known = format_of(format);
  if (!known) return std::unexpected(known.error());
  std::cout << (*known == Format::rest ? raw.dumped(2) + "\n" : rendered(listing, *known));
  return 0;
}

core::Result<int> print_local(const Listing& listing, const std::string& format) {
  return print(listing, format == "rest" ? "json" : format, {});
}

}  // namespace nucleus::client
