// libxml2's tree with an owner: a document that frees itself, and elements whose text cannot become
// markup.
#pragma once

#include <libxml/tree.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nucleus::provisioner {

/// One element of a document; valid while the document is.
class XmlElement {
 public:
  explicit XmlElement(xmlNode* node) : node_{node} {}

  /// Adds an empty element below this one.
  XmlElement add(const char* name);
  /// Adds an element that contains `text`; markup in it is escaped.
  XmlElement add_text(const char* name, const std::string& text);
  XmlElement& set(const char* attribute, const std::string& value);
  /// Puts this element into the namespace `xmlns:prefix=uri`.
  XmlElement& use_namespace(const char* uri, const char* prefix);

  std::string_view name() const;
  std::string_view namespace_uri() const;
  /// The attribute, or "" if there is none.
  std::string attribute(const char* attribute) const;
  /// All attributes of no namespace, as name and value.
  std::vector<std::pair<std::string, std::string>> attributes() const;
  /// The text directly in this element.
  std::string text() const;
  std::vector<XmlElement> children() const;
  std::vector<XmlElement> children(std::string_view name) const;
  /// The first element at a path of names below this one: "os/kernel".
  std::optional<XmlElement> find(std::string_view path) const;
  std::string text_at(std::string_view path) const;
  std::string attribute_at(std::string_view path, const char* attribute) const;

 private:
  xmlNode* node_;
};

class XmlDocument {
 public:
  explicit XmlDocument(const char* root_name);
  /// Nothing if the text is not well-formed XML.
  static std::optional<XmlDocument> parse(const std::string& text);

  XmlElement root() const;
  std::string serialized() const;

 private:
  struct Free {
    void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
  };
  explicit XmlDocument(xmlDoc* document) : document_{document} {}
  std::unique_ptr<xmlDoc, Free> document_;
};

}  // namespace nucleus::provisioner
