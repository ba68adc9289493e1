// The libxml2 calls. Nothing outside this file uses xmlChar.
#include "services/provisioner/driver/xml_document.hpp"

#include <libxml/parser.h>

namespace nucleus::provisioner {

namespace {

const xmlChar* chars(const char* text) {
  return reinterpret_cast<const xmlChar*>(text);
}

const char* plain(const xmlChar* text) {
  return reinterpret_cast<const char*>(text);
}

std::string take(xmlChar* text) {
  if (!text) return {};
  std::string copy = plain(text);
  xmlFree(text);
  return copy;
}

}  // namespace

XmlElement XmlElement::add(const char* name) {
  return XmlElement{xmlNewChild(node_, nullptr, chars(name), nullptr)};
}

XmlElement XmlElement::add_text(const char* name, const std::string& text) {
  return XmlElement{xmlNewTextChild(node_, nullptr, chars(name), chars(text.c_str()))};
}

XmlElement& XmlElement::set(const char* attribute, const std::string& value) {
  xmlNewProp(node_, chars(attribute), chars(value.c_str()));
  return *this;
}

XmlElement& XmlElement::use_namespace(const char* uri, const char* prefix) {
  xmlSetNs(node_, xmlNewNs(node_, chars(uri), chars(prefix)));
  return *this;
}

std::string_view XmlElement::name() const {
  return plain(node_->name);
}

std::string_view XmlElement::namespace_uri() const {
  return node_->ns && node_->ns->href ? plain(node_->ns->href) : "";
}

std::string XmlElement::attribute(const char* attribute) const {
  return take(xmlGetNoNsProp(node_, chars(attribute)));
}

std::vector<std::pair<std::string, std::string>> XmlElement::attributes() const {
  std::vector<std::pair<std::string, std::string>> found;
  for (xmlAttr* one = node_->properties; one; one = one->next)
    if (!one->ns) found.emplace_back(plain(one->name), attribute(plain(one->name)));
  return found;
}

std::string XmlElement::text() const {
  return take(xmlNodeListGetString(node_->doc, node_->children, 1));
}

std::vector<XmlElement> XmlElement::children() const {
  std::vector<XmlElement> found;
  for (xmlNode* child = node_->children; child; child = child->next)
    if (child->type == XML_ELEMENT_NODE) found.emplace_back(child);
  return found;
}

std::vector<XmlElement> XmlElement::children(std::string_view name) const {
  std::vector<XmlElement> found;
  for (xmlNode* child = node_->children; child; child = child->next)
    if (child->type == XML_ELEMENT_NODE && name == plain(child->name)) found.emplace_back(child);
  return found;
}

std::optional<XmlElement> XmlElement::find(std::string_view path) const {
  const auto slash = path.find('/');
  for (const auto& child : children(path.substr(0, slash)))
    return slash == std::string_view::npos ? std::optional(child)
                                           : child.find(path.substr(slash + 1));
  return std::nullopt;
}

std::string XmlElement::text_at(std::string_view path) const {
  const auto found = find(path);
  return found ? found->text() : std::string{};
}

std::string XmlElement::attribute_at(std::string_view path, const char* attribute) const {
  const auto found = find(path);
  return found ? found->attribute(attribute) : std::string{};
}

XmlDocument::XmlDocument(const char* root_name) : document_{xmlNewDoc(chars("1.0"))} {
  xmlDocSetRootElement(document_.get(), xmlNewNode(nullptr, chars(root_name)));
}

std::optional<XmlDocument> XmlDocument::parse(const std::string& text) {
  constexpr int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;
  xmlDoc* document =
      xmlReadMemory(text.data(), static_cast<int>(text.size()), nullptr, nullptr, options);
  if (!document) return std::nullopt;
  XmlDocument parsed{document};
  if (!xmlDocGetRootElement(document)) return std::nullopt;
  return parsed;
}

XmlElement XmlDocument::root() const {
  return XmlElement{xmlDocGetRootElement(document_.get())};
}

std::string XmlDocument::serialized() const {
  xmlChar* buffer = nullptr;
  int size = 0;
  xmlDocDumpMemoryEnc(document_.get(), &buffer, &size, "UTF-8");
  return take(buffer);
}

}  // namespace nucleus::provisioner
