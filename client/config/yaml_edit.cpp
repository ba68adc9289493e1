#include "client/config/yaml_edit.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace nucleus::client {

namespace {

using Path = std::vector<std::string>;

/// A value to set.
struct Change {
  Path path = {};
  YAML::Node value = {};
};

// Deeper than any file that a person writes; anchors can make a yaml tree infinite.
constexpr int edited_depth_max = 32;

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

/// A value on one line.
std::string line_of(const YAML::Node& value) {
  const bool is_plain = value.Tag() == "?";
  if (value.IsScalar()) return is_plain ? value.Scalar() : scalar(value.Scalar());
  YAML::Emitter text;
  text.SetSeqFormat(YAML::Flow);
  text.SetMapFormat(YAML::Flow);
  text << value;
  return text.c_str();
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
      entry += key + (is_last ? " " + value : " {");
    else if (is_last)
      entry += key + " " + value + "\n" + std::string(indent, ' ');
    else
      entry += key + "\n" + std::string(deeper + 2, ' ');
  }
  return is_in_flow ? entry + std::string(path.size() - depth - 1, '}') : entry;
}

/// True if both trees have the same values, in any order of keys.
bool is_same(const YAML::Node& left, const YAML::Node& right, int depth = 0) {
  if (depth > edited_depth_max || left.Type() != right.Type() || left.size() != right.size())
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

/// The edited text; unchanged if it cannot be edited, or has the value.
std::string edited(std::string text, const Change& change) {
  const auto& path = change.path;
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
      auto entry = new_entry(path, depth, line_of(change.value), indent, is_in_flow);
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
    if (end == std::string::npos || is_same(child, change.value)) return text;
    return text.replace(begin, end - begin, line_of(change.value));
  }
  return text;
}

void set(YAML::Node& whole, const Change& change) {
  YAML::Node at = whole;
  for (const auto& key : change.path) at.reset(at[key]);
  at = YAML::Clone(change.value);
}

bool has_values(const std::string& text, const YAML::Node& wanted) {
  try {
    return is_same(YAML::Load(text), wanted);
  } catch (const YAML::Exception&) {
    return false;
  }
}

YAML::Node map_of(const std::string& text) {
  auto whole = YAML::Load(text);
  return whole.IsNull() ? YAML::Node(YAML::NodeType::Map) : whole;
}

std::string apply_all(std::string text, const std::vector<Change>& changes) {
  YAML::Node wanted = map_of(text);
  for (const auto& change : changes) {
    set(wanted, change);
    text = edited(std::move(text), change);
    if (has_values(text, wanted)) continue;
    YAML::Emitter anew;
    anew << wanted;
    text = anew.c_str() + std::string("\n");
  }
  return text;
}

/// Adds a change for each value of `more`. A map is merged into a map, and replaces another value.
void add_changes(std::vector<Change>& changes, const YAML::Node& whole, const YAML::Node& more,
                 const Path& path = {}) {
  if (path.size() > edited_depth_max)
    throw YAML::RepresentationException(more.Mark(), "nested too deeply");
  for (const auto& each : more) {
    Path deeper = path;
    deeper.push_back(each.first.as<std::string>());
    const YAML::Node found = whole.IsMap() ? whole[deeper.back()] : YAML::Node();
    const YAML::Node there = found.IsDefined() ? found : YAML::Node();
    const bool is_merged =
        each.second.IsMap() && each.second.size() > 0 && (there.IsNull() || there.IsMap());
    if (is_merged)
      add_changes(changes, there, each.second, deeper);
    else
      changes.push_back({std::move(deeper), each.second});
  }
}

}  // namespace

std::string with_changes(const std::string& text, const std::vector<YamlChange>& changes) {
  std::vector<Change> all;
  for (const auto& [path, value] : changes) {
    all.push_back({path, YAML::Node(value)});
    all.back().value.SetTag("!");  // a text, even if it reads like a number
  }
  return apply_all(text, all);
}

std::string merged(const std::string& text, const std::string& more) {
  std::vector<Change> changes;
  const YAML::Node whole = map_of(text);
  add_changes(changes, whole, map_of(more));
  // Each new entry goes to the beginning of its map: the last is added first. Assigning to a node
  // would change the document, so that the list is copied.
  return apply_all(text, {changes.rbegin(), changes.rend()});
}

}  // namespace nucleus::client
