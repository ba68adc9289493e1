#include "client/config/yaml_edit.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace nucleus::client {

namespace {

using Path = std::vector<std::string>;

// Deeper than any file that a person writes; anchors can make a yaml tree infinite.
constexpr int compared_depth_max = 32;

/// The bytes before a mark, which counts characters. `npos` if the text has no such place.
std::size_t offset_of(const std::string& text, const YAML::Mark& mark) {
  if (mark.is_null()) return std::string::npos;
  std::size_t at = 0;
  for (int line = 0; line < mark.line; ++line) {
    at = text.find('\n', at);
    if (at == std::string::npos) return at;
    ++at;
  }
  const auto is_inside = [&](std::size_t byte) {
    return (static_cast<unsigned char>(text[byte]) & 0xC0U) == 0x80U;
  };
  for (int column = 0; column < mark.column; ++column) {
    if (at >= text.size()) return std::string::npos;
    ++at;
    while (at < text.size() && is_inside(at)) ++at;
  }
  return at;
}

/// Where the scalar ends that begins at `begin`, if it is on one line.
std::size_t end_of_scalar(const std::string& text, std::size_t begin, bool is_in_flow) {
  const auto line_end = std::min(text.find_first_of("\r\n", begin), text.size());
  if (begin < text.size() && (text[begin] == '"' || text[begin] == '\'')) {
    const bool has_escapes = text[begin] == '"';
    for (auto at = begin + 1; at < line_end; ++at) {
      if (has_escapes && text[at] == '\\')
        ++at;
      else if (text[at] == text[begin])
        return at + 1;
    }
    return std::string::npos;
  }
  auto end = std::min(text.find(" #", begin), line_end);
  if (is_in_flow) end = std::min(text.find_first_of(",]}", begin), end);
  while (end > begin && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
  return end;
}

/// A scalar as yaml: plain if that is certainly a text, else quoted as in JSON.
std::string scalar(const std::string& value) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
  };
  const bool is_null = value == "null" || value == "Null" || value == "NULL";
  const bool has_letters = !value.empty() && std::ranges::all_of(value, is_plain);
  return has_letters && !is_null ? value : Json(value).dumped();
}

/// The lines that add the keys from `depth` on at the beginning of a block map, or the text that
/// adds them to a flow map.
std::string new_entry(const Path& path, std::size_t depth, const std::string& value,
                      std::size_t indent, bool is_in_flow) {
  std::string entry;
  for (auto at = depth; at < path.size(); ++at) {
    const bool is_last = at + 1 == path.size();
    const std::string key = scalar(path[at]) + ":";
    const std::size_t deeper = indent + 2 * (at - depth);
    if (is_in_flow)
      entry += key + (is_last ? " " + scalar(value) : " {");
    else if (is_last)
      entry += key + " " + scalar(value) + "\n" + std::string(indent, ' ');
    else
      entry += key + "\n" + std::string(deeper + 2, ' ');
  }
  return is_in_flow ? entry + std::string(path.size() - depth - 1, '}') : entry;
}

/// The edited text; unchanged if it cannot be edited.
std::string edited(std::string text, const Path& path, const std::string& value) {
  YAML::Node parent = YAML::Load(text);
  for (std::size_t depth = 0; depth < path.size(); ++depth) {
    if (!parent.IsMap()) return text;
    const bool is_in_flow = parent.Style() == YAML::EmitterStyle::Flow;
    const YAML::Node child = static_cast<const YAML::Node&>(parent)[path[depth]];
    if (!child.IsDefined()) {
      auto at = offset_of(text, parent.Mark());
      if (at == std::string::npos || at >= text.size()) return text;
      const auto line = text.rfind('\n', at);
      const auto indent = line == std::string::npos ? at : at - line - 1;
      auto entry = new_entry(path, depth, value, indent, is_in_flow);
      if (is_in_flow) {
        ++at;  // after the brace
        if (parent.size() > 0) entry += ", ";
      }
      return text.insert(at, entry);
    }
    if (depth + 1 < path.size()) {
      parent.reset(child);
      continue;
    }
    const auto begin = offset_of(text, child.Mark());
    if (!child.IsScalar() || begin == std::string::npos) return text;
    const auto end = end_of_scalar(text, begin, is_in_flow);
    if (end == std::string::npos) return text;
    return text.replace(begin, end - begin, scalar(value));
  }
  return text;
}

void set(YAML::Node& whole, const YamlChange& change) {
  YAML::Node at = whole;
  for (const auto& key : change.first) at.reset(at[key]);
  at = change.second;
}

/// True if both trees have the same values, in any order of keys.
bool is_same(const YAML::Node& left, const YAML::Node& right, int depth = 0) {
  if (depth > compared_depth_max || left.Type() != right.Type() || left.size() != right.size())
    return false;
  if (left.IsScalar()) return left.Scalar() == right.Scalar();
  if (left.IsSequence())
    for (std::size_t i = 0; i < left.size(); ++i)
      if (!is_same(left[i], right[i], depth + 1)) return false;
  if (left.IsMap())
    for (const auto& each : left) {
      const auto other = right[each.first.as<std::string>()];
      if (!other.IsDefined() || !is_same(each.second, other, depth + 1)) return false;
    }
  return true;
}

bool has_values(const std::string& text, const YAML::Node& wanted) {
  try {
    return is_same(YAML::Load(text), wanted);
  } catch (const YAML::Exception&) {
    return false;
  }
}

}  // namespace

std::string with_changes(const std::string& text, const std::vector<YamlChange>& changes) {
  YAML::Node wanted = YAML::Load(text);
  if (wanted.IsNull()) wanted = YAML::Node(YAML::NodeType::Map);
  std::string result = text;
  for (const auto& change : changes) {
    set(wanted, change);
    result = edited(std::move(result), change.first, change.second);
    if (has_values(result, wanted)) continue;
    YAML::Emitter anew;
    anew << wanted;
    result = anew.c_str() + std::string("\n");
  }
  return result;
}

}  // namespace nucleus::client
