#include "client/shell/line.hpp"

#include <cctype>
#include <utility>

namespace nucleus::client {

namespace {

bool is_escape(const std::string& text, std::size_t at) {
  return text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\');
}

/// The end of the quoted part that begins at `at`; npos if there is none.
std::size_t partner_of(const std::string& text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (text[at] == quote) return at;
    if (quote == '"' && is_escape(text, at)) ++at;
  }
  return std::string::npos;
}

std::string without_escapes(const std::string& text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_escape(text, at)) ++at;
    plain += text[at];
  }
  return plain;
}

}  // namespace

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

std::vector<std::string> split_words(const std::string& text, const LookUp& look_up) {
  const auto expanded = [&](const std::string& part) {
    return look_up ? with_variables(part, look_up) : part;
  };
  std::vector<std::string> words;
  bool is_in_word = false;
  std::string plain;  // what the current word has outside quotes, since the last quoted part
  const auto add_plain = [&] {
    if (is_in_word) words.back() += expanded(std::exchange(plain, {}));
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (std::isspace(static_cast<unsigned char>(c))) {
      add_plain();
      is_in_word = false;
      continue;
    }
    if (!is_in_word) words.emplace_back();
    is_in_word = true;
    const auto partner = c == '"' || c == '\'' ? partner_of(text, at) : std::string::npos;
    if (partner == std::string::npos) {
      plain += c;
      continue;
    }
    add_plain();
    const auto quoted = text.substr(at + 1, partner - at - 1);
    words.back() += c == '"' ? expanded(without_escapes(quoted)) : quoted;
    at = partner;
  }
  add_plain();
  return words;
}

}  // namespace nucleus::client
