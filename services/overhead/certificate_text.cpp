#include "services/overhead/certificate_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/assert.hpp"

namespace nucleus::overhead {

namespace {

using Kind = msg::Type::Kind;

void add_lines(std::vector<std::string>& lines, const std::string& path, const void* value,
               const msg::Type& type) {
  switch (type.kind) {
    case Kind::boolean:
      lines.push_back(path + (*static_cast<const bool*>(value) ? "=true" : "=false"));
      return;
    case Kind::integer:
      msg::with_integer(type, [&](auto sample) {
        lines.push_back(fmt::format("{}={}", path, *static_cast<const decltype(sample)*>(value)));
      });
      return;
    case Kind::floating:
      lines.push_back(fmt::format("{}={:.17g}", path, *static_cast<const double*>(value)));
      return;
    case Kind::text:
      lines.push_back(path + "=" + *static_cast<const std::string*>(value));
      return;
    case Kind::name:
      lines.push_back(
          fmt::format("{}={}", path, type.names()[*static_cast<const std::uint8_t*>(value)]));
      return;
    case Kind::structure:
      for (const auto& field : type.fields())
        add_lines(lines, path + "/" + std::string(field.name), msg::member(value, field),
                  *field.type);
      return;
    case Kind::list: {
      const auto* first = static_cast<const char*>(type.data(value));
      for (std::size_t i = 0; i < type.count(value); ++i)
        add_lines(lines, fmt::format("{}/{}", path, i), first + i * type.element->size,
                  *type.element);
      return;
    }
    case Kind::map:
    case Kind::optional:
      break;
  }
  NUCLEUS_ASSERT(false);  // no field of a certificate is one
}

}  // namespace

std::string canonical_text(const msg::Certificate& certificate) {
  auto unsigned_one = certificate;
  unsigned_one.signature.clear();
  std::vector<std::string> lines;
  add_lines(lines, "", &unsigned_one, msg::type_of<msg::Certificate>);
  std::erase(lines, "/signature=");
  std::ranges::sort(lines);
  std::string text = "nucleus overhead certificate 1\n";
  for (const auto& line : lines) text += line.substr(1) + "\n";
  return text;
}

}  // namespace nucleus::overhead
