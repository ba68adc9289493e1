// libvirt's schema of a domain.
#pragma once

#include <libxml/parser.h>
#include <libxml/relaxng.h>

#include <string>

namespace nucleus::provisioner {

/// Schema of the elements of a domain, as `virt-xml-validate` uses it.
class DomainSchema {
 public:
  DomainSchema() {
    auto* parser = xmlRelaxNGNewParserCtxt("/usr/share/libvirt/schemas/domain.rng");
    schema_ = xmlRelaxNGParse(parser);
    xmlRelaxNGFreeParserCtxt(parser);
  }
  ~DomainSchema() { xmlRelaxNGFree(schema_); }
  DomainSchema(const DomainSchema&) = delete;
  DomainSchema& operator=(const DomainSchema&) = delete;

  bool is_loaded() const { return schema_ != nullptr; }
  bool accepts(const std::string& xml) const {
    auto* document = xmlReadMemory(xml.data(), static_cast<int>(xml.size()), nullptr, nullptr, 0);
    auto* context = xmlRelaxNGNewValidCtxt(schema_);
    xmlRelaxNGSetValidErrors(context, nullptr, nullptr, nullptr);
    const bool is_valid = document && xmlRelaxNGValidateDoc(context, document) == 0;
    xmlRelaxNGFreeValidCtxt(context);
    xmlFreeDoc(document);
    return is_valid;
  }

 private:
  xmlRelaxNG* schema_ = nullptr;
};

}  // namespace nucleus::provisioner
