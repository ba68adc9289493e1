#include "client/shell/line.hpp"

#include <cctype>

namespace nucleus::client {

ShellLine read_line(const std::string& line) {
  constexpr const char* blanks = " \t\r\n";
  const auto begin = line.find_first_not_of(blanks);
  if (begin == std::string::npos) return {};
  const std::string text = line.substr(begin, line.find_last_not_of(blanks) - begin + 1);
  if (text.starts_with('#') || text.starts_with("//") || text.starts_with("/*"))
    return {.kind = LineKind::comment, .text = text};
  if (text.starts_with('!')) return {.kind = LineKind::shell, .text = text.substr(1)};
  return {.kind = LineKind::command, .text = text};
}

std::string with_variables(const std::string& text, const LookUp& look_up) {
  std::string whole;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      whole += text[at++];
      continue;
    }
    std::size_t end = at + 1;
    const auto is_of_name = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
    };
    while (end < text.size() && is_of_name(text[end])) ++end;
    // A trailing dot ends a sentence, not a name.
    while (end > at + 1 && text[end - 1] == '.') --end;
    const auto value = look_up(text.substr(at + 1, end - at - 1));
    whole += value ? *value : text.substr(at, end - at);
    at = end;
  }
  return whole;
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  bool is_in_word = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (std::isspace(static_cast<unsigned char>(c))) {
      is_in_word = false;
      continue;
    }
    if (!is_in_word) words.emplace_back();
    is_in_word = true;
    const auto partner = c == '"' || c == '\'' ? text.find(c, at + 1) : std::string::npos;
    if (partner == std::string::npos) {
      words.back() += c;
      continue;
    }
    words.back() += text.substr(at + 1, partner - at - 1);
    at = partner;
  }
  return words;
}

}  // namespace nucleus::client
