// A domain's XML contains exactly its spec, and no text in a spec becomes an element: hostile text
// is either refused with its field's name, or parsed back unchanged.
#include "services/provisioner/driver/domain_xml.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "services/provisioner/driver/xml_document.hpp"
#include "tests/support/domain_schema.hpp"

namespace nucleus::provisioner {
namespace {

constexpr int injections = 20'000;

DomainSpec a_spec() {
  return {.name = "demo.vm-demo-00",
          .uuid = domain_uuid("n-1"),
          .epoch = 7,
          .title = "demo/vm-demo-00",
          .cpus = 2,
          .memory_mb = 512,
          .disks = {{.path = "/volumes/n-1.qcow2", .format = "qcow2"},
                    {.path = "/seeds/n-1.img", .format = "raw", .is_read_only = true}},
          .ports = {{.mac = "52:54:00:0a:0b:0c",
                     .bridge = "nucleus0",
                     .vlan = 101,
                     .device = "nuc-0a0b0c"}},
          .runtime_dir = "/state/domains"};
}

std::size_t count_elements(XmlElement element) {
  std::size_t count = 1;
  for (const auto& child : element.children()) count += count_elements(child);
  return count;
}

TEST(DomainXml, IsParsedBackAsItsSpec) {
  const auto spec = a_spec();
  for (const auto dialect : {XmlDialect::qemu, XmlDialect::simulated}) {
    const auto xml = build_domain_xml(spec, dialect);
    ASSERT_TRUE(xml) << xml.error().detail;
    const auto verified = verify_domain_xml(*xml, spec, dialect);
    EXPECT_TRUE(verified) << verified.error().detail;
    EXPECT_EQ(epoch_in_metadata(*xml), 0U) << "the whole domain is not a metadata element";
  }
}

/// The boot order of a spec with an ISO: what is tried first, second and so on.
std::vector<std::string> boot_order(DomainSpec spec) {
  spec.disks.push_back({.path = "/x.iso", .format = "raw", .is_read_only = true, .is_cdrom = true});
  const auto xml = build_domain_xml(spec, XmlDialect::qemu);
  EXPECT_TRUE(xml) << (xml ? "" : xml.error().detail);
  const auto document = XmlDocument::parse(*xml);
  std::map<std::string, std::string> by_order;
  for (const char* name : {"disk", "interface"})
    for (const auto& device : document->root().find("devices")->children(name))
      if (device.find("boot"))
        by_order[device.attribute_at("boot", "order")] = device.attribute_at("target", "dev");
  std::vector<std::string> devices;
  for (const auto& [order, device] : by_order) devices.push_back(device);
  return devices;
}

TEST(DomainXml, BootsFromCdRomDiskAndNetworkButNotFromTheSeedDrive) {
  using Order = std::vector<std::string>;
  auto spec = a_spec();
  EXPECT_EQ(boot_order(spec), (Order{"sda", "vda", "nuc-0a0b0c"}));
  spec.boots_from_network = true;
  EXPECT_EQ(boot_order(spec), (Order{"nuc-0a0b0c", "sda", "vda"}));
  spec.kernel = "/k";
  EXPECT_EQ(boot_order(spec), Order{});
}

TEST(DomainXml, ShowsTheBiosOnTheConsoleAndTriesAgainIfItBootsFromTheNetwork) {
  const std::string bios = R"(<bios useserial="yes" rebootTimeout="5000"/>)";
  const auto xml_of = [](const DomainSpec& spec) {
    return build_domain_xml(spec, XmlDialect::qemu).value();
  };
  auto spec = a_spec();
  const auto without = xml_of(spec);
  EXPECT_EQ(without.find("<bios"), std::string::npos);
  spec.boots_from_network = true;
  const auto with = xml_of(spec);
  EXPECT_NE(with.find(bios), std::string::npos) << with;
  const DomainSchema schema;
  ASSERT_TRUE(schema.is_loaded()) << "libvirt's schemas are not installed";
  EXPECT_TRUE(schema.accepts(with)) << with;
  EXPECT_FALSE(verify_domain_xml(without, spec, XmlDialect::qemu));
  EXPECT_FALSE(verify_domain_xml(with, a_spec(), XmlDialect::qemu));
  spec.firmware = {.code = "/code", .variables = "/variables"};
  EXPECT_EQ(xml_of(spec).find("<bios"), std::string::npos) << "UEFI writes to the console itself";
}

TEST(DomainXml, GivesEveryDiskItsFormat) {
  const auto xml = build_domain_xml(a_spec(), XmlDialect::qemu);
  ASSERT_TRUE(xml);
  const auto document = XmlDocument::parse(*xml);
  ASSERT_TRUE(document);
  const auto disks = document->root().find("devices")->children("disk");
  ASSERT_EQ(disks.size(), 2U);
  EXPECT_EQ(disks[0].attribute_at("driver", "type"), "qcow2");
  EXPECT_EQ(disks[1].attribute_at("driver", "type"), "raw");
}

TEST(DomainXml, ReadsWhatADiskDoesNotHaveFromItsBaseAndKeepsIt) {
  auto spec = a_spec();
  spec.disks[0].base = {.socket = "/volumes/n-1/base", .format = "raw"};
  const auto xml = build_domain_xml(spec, XmlDialect::qemu);
  ASSERT_TRUE(xml) << xml.error().detail;
  const auto document = XmlDocument::parse(*xml);
  const auto disk = document->root().find("devices")->children("disk")[0];
  EXPECT_EQ(disk.attribute_at("driver", "copy_on_read"), "on");
  EXPECT_EQ(disk.attribute_at("driver", "rerror_policy"), "stop") << "no error reaches the guest";
  EXPECT_EQ(disk.attribute_at("backingStore/source/host", "socket"), "/volumes/n-1/base");
  EXPECT_TRUE(disk.find("backingStore")->find("backingStore")) << "the base has none";
}

DomainSpec a_layered_spec() {
  auto spec = a_spec();
  spec.disks[0].layers = {"/volumes/n-1/layers/a.qcow2", "/volumes/n-1/layers/b.qcow2"};
  spec.disks[0].base = {.socket = "/volumes/n-1/base", .format = "raw"};
  return spec;
}

TEST(DomainXml, NamesEachFileOfADiskWithLayersAndTheEndOfTheChain) {
  auto spec = a_layered_spec();
  const auto xml = build_domain_xml(spec, XmlDialect::qemu);
  ASSERT_TRUE(xml) << xml.error().detail;
  const auto document = XmlDocument::parse(*xml);
  const auto disk = document->root().find("devices")->children("disk")[0];
  EXPECT_EQ(disk.attribute_at("driver", "copy_on_read"), "") << "a layer has only what is written";
  EXPECT_EQ(disk.attribute_at("driver", "rerror_policy"), "stop");
  const auto newest = *disk.find("backingStore");
  EXPECT_EQ(newest.attribute("type"), "file");
  EXPECT_EQ(newest.attribute_at("format", "type"), "qcow2");
  EXPECT_EQ(newest.attribute_at("source", "file"), "/volumes/n-1/layers/b.qcow2");
  const auto oldest = *newest.find("backingStore");
  EXPECT_EQ(oldest.attribute_at("source", "file"), "/volumes/n-1/layers/a.qcow2");
  EXPECT_EQ(oldest.attribute_at("backingStore/source/host", "socket"), "/volumes/n-1/base");
  EXPECT_TRUE(oldest.find("backingStore/backingStore")) << "the base has none";

  spec.disks[0].base = {};
  const auto without = build_domain_xml(spec, XmlDialect::qemu);
  ASSERT_TRUE(without) << without.error().detail;
  const auto chain = XmlDocument::parse(*without);
  const auto end = chain->root().find("devices")->children("disk")[0].find(
      "backingStore/backingStore/backingStore");
  ASSERT_TRUE(end) << "libvirt would look for more";
  EXPECT_EQ(end->attribute("type"), "");
}

TEST(DomainXml, IsRefusedIfADiskHasOtherLayers) {
  const auto spec = a_layered_spec();
  std::vector<DomainSpec> others(6, spec);
  others[0].disks[0].layers.pop_back();
  std::swap(others[1].disks[0].layers[0], others[1].disks[0].layers[1]);
  others[2].disks[0].layers[0] = "/etc/shadow";
  others[3].disks[0].layers.clear();
  others[4].disks[0].base = {};
  others[5].disks[0].layers.emplace_back("/volumes/n-1/layers/c.qcow2");
  for (const auto& other : others) {
    const auto xml = build_domain_xml(other, XmlDialect::qemu);
    ASSERT_TRUE(xml) << xml.error().detail;
    EXPECT_FALSE(verify_domain_xml(*xml, spec, XmlDialect::qemu)) << *xml;
  }
  auto invalid = spec;
  invalid.disks[0].layers.resize(17, "/volumes/x.qcow2");
  EXPECT_EQ(check_spec(invalid)->field, "disks.layers");
  invalid = spec;
  invalid.disks[0].layers[0] = "x.qcow2";
  EXPECT_EQ(check_spec(invalid)->field, "disks.layers");
}

TEST(DomainXml, IsRefusedIfADiskHasAnotherBase) {
  const auto spec = a_spec();
  auto with = spec;
  with.disks[0].base = {.socket = "/volumes/n-1/base", .format = "raw"};
  auto other = spec;
  other.disks[0].base = {.socket = "/volumes/n-2/base", .format = "raw"};
  auto format = spec;
  format.disks[0].base = {.socket = "/volumes/n-1/base", .format = "qcow2"};
  const auto xml = build_domain_xml(with, XmlDialect::qemu);
  ASSERT_TRUE(xml);
  for (const auto& expected : {spec, other, format})
    EXPECT_FALSE(verify_domain_xml(*xml, expected, XmlDialect::qemu));
  EXPECT_FALSE(
      verify_domain_xml(*build_domain_xml(spec, XmlDialect::qemu), with, XmlDialect::qemu));
}

TEST(DomainXml, IsRefusedIfItHasOneMoreDisk) {
  const auto spec = a_spec();
  auto fuller = spec;
  fuller.disks.push_back({.path = "/etc/shadow", .format = "raw"});
  const auto xml = build_domain_xml(fuller, XmlDialect::qemu);
  ASSERT_TRUE(xml);
  EXPECT_FALSE(verify_domain_xml(*xml, spec, XmlDialect::qemu));
}

TEST(DomainXml, IsRefusedIfACardIsInAnotherVlan) {
  const auto spec = a_spec();
  auto other = spec;
  other.ports[0].vlan = 102;
  const auto xml = build_domain_xml(other, XmlDialect::qemu);
  ASSERT_TRUE(xml);
  EXPECT_FALSE(verify_domain_xml(*xml, spec, XmlDialect::qemu));
}

DomainSpec a_spec_with_adapters() {
  auto spec = a_spec();
  spec.adapters = {{.adapter = {.pci_address = "0000:81:00.1",
                                .fabric = "ib0",
                                .port_guid = "0x0014050000000001",
                                .numa_node = 1,
                                .is_virtual = true},
                    .pkey = 0x0101},
                   {.adapter = {.pci_address = "000a:c1:1f.7",
                                .fabric = "ib1",
                                .port_guid = "0x0c42a1030065ab12"},
                    .pkey = 0x7ffe}};
  return spec;
}

TEST(DomainXml, PassesEachAdapterOfItsGrant) {
  const auto spec = a_spec_with_adapters();
  const auto xml = build_domain_xml(spec, XmlDialect::qemu);
  ASSERT_TRUE(xml) << xml.error().detail;
  for (const auto* source : {R"(<address domain="0x0000" bus="0x81" slot="0x00" function="0x1"/>)",
                             R"(<address domain="0x000a" bus="0xc1" slot="0x1f" function="0x7"/>)"})
    EXPECT_NE(xml->find(source), std::string::npos) << source << *xml;
  const auto document = XmlDocument::parse(*xml);
  const auto devices = document->root().find("devices")->children("hostdev");
  ASSERT_EQ(devices.size(), 2U);
  using Attributes = std::vector<std::pair<std::string, std::string>>;
  for (const auto& device : devices)
    EXPECT_EQ(device.attributes(),
              (Attributes{{"mode", "subsystem"}, {"type", "pci"}, {"managed", "yes"}}));
  EXPECT_EQ(functions_in_xml(*xml), (std::vector<std::string>{"0000:81:00.1", "000a:c1:1f.7"}));
  const DomainSchema schema;
  ASSERT_TRUE(schema.is_loaded()) << "libvirt's schemas are not installed";
  EXPECT_TRUE(schema.accepts(*xml)) << *xml;
}

TEST(DomainXml, IsRefusedIfItHasOtherAdapters) {
  const auto spec = a_spec_with_adapters();
  std::vector<DomainSpec> others(5, spec);
  others[0].adapters.pop_back();
  others[1].adapters.clear();
  others[2].adapters[0].adapter.pci_address = "0000:81:00.2";
  others[3].adapters.push_back(spec.adapters[0]);
  others[3].adapters[2].adapter.pci_address = "0000:81:00.3";
  std::swap(others[4].adapters[0], others[4].adapters[1]);
  for (const auto& other : others) {
    const auto xml = build_domain_xml(other, XmlDialect::qemu);
    ASSERT_TRUE(xml) << xml.error().detail;
    EXPECT_FALSE(verify_domain_xml(*xml, spec, XmlDialect::qemu)) << *xml;
  }
}

TEST(DomainXml, IsRefusedIfAnAdapterIsPassedInAnotherWay) {
  const auto spec = a_spec_with_adapters();
  const auto xml = build_domain_xml(spec, XmlDialect::qemu).value();
  const std::string hostdev = R"(<hostdev mode="subsystem" type="pci" managed="yes">)";
  const auto with = [&](const std::string& from, const std::string& to) {
    auto changed = xml;
    const auto at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? changed : changed.replace(at, from.size(), to);
  };
  const auto is_same = [&](const std::string& changed) {
    return verify_domain_xml(changed, spec, XmlDialect::qemu).has_value();
  };
  // What libvirt adds by itself.
  EXPECT_TRUE(
      is_same(with(hostdev, hostdev + R"(<driver name="vfio"/><alias name="hostdev0"/>)"
                                      R"(<address type="pci" domain="0x0000" bus="0x07"/>)")));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {R"(mode="subsystem")", R"(mode="capabilities")"},
           {R"(type="pci" managed)", R"(type="usb" managed)"},
           {R"(managed="yes")", R"(managed="no")"},
           {R"(domain="0x0000")", R"(domain="0x0001")"},
           {R"(bus="0x81")", R"(bus="0x82")"},
           {R"(slot="0x00")", R"(slot="0x01")"},
           {R"(function="0x1")", R"(function="0x2")"},
           {hostdev, hostdev + R"(<driver name="kvm"/>)"},
           {hostdev, hostdev + R"(<rom file="/tmp/rom"/>)"},
           {hostdev, hostdev + R"(<boot order="1"/>)"},
           {hostdev, hostdev + R"(<source><address domain="0x0000"/></source>)"},
           {R"(<address domain="0x0000")", R"(<vendor id="1"/><address domain="0x0000")"},
           {R"(<address domain="0x0000")", R"(<address multifunction="on" domain="0x0000")"},
           {hostdev, R"(<hostdev mode="subsystem" type="pci" managed="yes" display="on">)"},
           {hostdev, R"(<x:hostdev xmlns:x="urn:x"/>)" + hostdev}}) {
    EXPECT_FALSE(is_same(with(from, to))) << to;
  }
}

TEST(DomainXml, NamesTheFieldOfAnAdapterThatIsInvalid) {
  EXPECT_FALSE(check_spec(a_spec_with_adapters()));
  const auto broken = [](auto&& change) {
    auto spec = a_spec_with_adapters();
    change(spec.adapters);
    const auto error = check_spec(spec);
    EXPECT_TRUE(error && error->detail.starts_with(error->field)) << (error ? error->detail : "");
    return error ? error->field : "";
  };
  for (const auto* address : {"", "81:00.1", "0000:81:00.8", "0000:81:00.A", "0000:81:00.1 "})
    EXPECT_EQ(broken([&](auto& all) { all[0].adapter.pci_address = address; }),
              "adapters.pci_address");
  EXPECT_EQ(broken([](auto& all) { all[1].adapter.pci_address = "0000:81:00.1"; }),
            "adapters.pci_address");
  EXPECT_EQ(broken([](auto& all) { all[0].adapter.fabric = "a b"; }), "adapters.fabric");
  for (const auto* guid : {"", "0x0000000000000000", "0014050000000001"})
    EXPECT_EQ(broken([&](auto& all) { all[0].adapter.port_guid = guid; }), "adapters.port_guid");
  for (const std::uint32_t pkey : {0U, 0x7fffU, 0x8101U, 0xffffU})
    EXPECT_EQ(broken([&](auto& all) { all[0].pkey = pkey; }), "adapters.pkey");
  EXPECT_EQ(broken([](auto& all) { all.resize(65, all[0]); }), "adapters");
}

/// Text that would become markup, or more than one value, if it were inserted without escaping.
std::string hostile_text(std::mt19937_64& random) {
  static const std::string pieces[] = {
      "\"/><disk type='file'><source file='/etc/shadow'/></disk><x a=\"",
      "</title></domain><domain>",
      "<![CDATA[",
      "]]>",
      "<!--",
      "-->",
      "&lt;",
      "&#60;",
      "&xxe;",
      "<!DOCTYPE d [<!ENTITY xxe SYSTEM 'file:///etc/passwd'>]>",
      "<?xml version='1.0'?>",
      "'",
      "\"",
      "<",
      ">",
      "&",
      "../",
      "/etc/passwd",
      "a",
      "\xc3\xa9",
      "\xe2\x80\xae",
      "\xff",
      "\xed\xa0\x80",
      std::string("\0", 1),
      "\n",
      "\r",
      "\t",
      "\x1b",
      "\x7f",
      " ",
      "%n",
      ",file=/etc/shadow",
      "json:{}",
      "nbd://x"};
  const auto pick = [&](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>{0, most}(random);
  };
  std::string text;
  for (std::size_t i = 0, count = 1 + pick(4); i < count; ++i)
    text += pieces[pick(std::size(pieces) - 1)];
  return text;
}

/// Puts the text into one of the fields that hold text.
void put(DomainSpec& spec, const std::string& text, std::size_t field) {
  switch (field) {
    case 0:
      spec.name = text;
      return;
    case 1:
      spec.title = text;
      return;
    case 2:
      spec.uuid = text;
      return;
    case 3:
      spec.disks[0].path = "/" + text;
      return;
    case 4:
      spec.disks[0].format = text;
      return;
    case 5:
      spec.ports[0].mac = text;
      return;
    case 6:
      spec.ports[0].bridge = text;
      return;
    case 7:
      spec.ports[0].device = text;
      return;
    case 8:
      spec.kernel = "/" + text;
      return;
    case 9:
      spec.kernel = "/k";
      spec.initramfs = "/" + text;
      return;
    case 10:
      spec.kernel = "/k";
      spec.cmdline = text;
      return;
    case 12:
      spec.adapters = {
          {.adapter = {.pci_address = text, .fabric = "ib0", .port_guid = "0x0014050000000001"},
           .pkey = 1}};
      return;
    case 11:
      spec.firmware = {.code = "/code", .variables = "/" + text};
      return;
    default:
      spec.runtime_dir = "/" + text;
  }
}

TEST(DomainXml, HasNoElementFromHostileText) {
  std::mt19937_64 random(1);
  std::map<std::size_t, int> taken;
  for (int i = 0; i < injections; ++i) {
    const auto field = std::uniform_int_distribution<std::size_t>{0, 13}(random);
    const std::string text = hostile_text(random);
    auto spec = a_spec();
    put(spec, text, field);
    if (check_spec(spec)) continue;  // refused by name
    ++taken[field];
    const auto xml = build_domain_xml(spec, XmlDialect::qemu);
    if (!xml) continue;
    auto plain = spec;
    put(plain, field == 2 ? domain_uuid("n-2") : "plain", field);
    if (field == 5) plain.ports[0].mac = "52:54:00:0a:0b:0d";
    if (field == 4) plain.disks[0].format = "raw";
    const auto plain_xml = build_domain_xml(plain, XmlDialect::qemu);
    ASSERT_TRUE(plain_xml) << plain_xml.error().detail;
    const auto document = XmlDocument::parse(*xml);
    ASSERT_TRUE(document) << "field " << field << ": " << *xml;
    EXPECT_EQ(count_elements(document->root()),
              count_elements(XmlDocument::parse(*plain_xml)->root()))
        << "field " << field << ": " << *xml;
    const auto verified = verify_domain_xml(*xml, spec, XmlDialect::qemu);
    EXPECT_TRUE(verified) << "field " << field << ": " << verified.error().detail << *xml;
  }
  // Titles, paths and command lines may contain markup: those specs were accepted.
  for (const std::size_t field : {1, 3, 8, 10, 11}) EXPECT_GT(taken[field], 0) << "field " << field;
  // Names may not.
  EXPECT_EQ(taken[5], 0);
  EXPECT_EQ(taken[12], 0);
}

TEST(DomainXml, HasTheFirmwareOfItsSpec) {
  auto spec = a_spec();
  const auto bios = build_domain_xml(spec, XmlDialect::qemu);
  ASSERT_TRUE(bios);
  EXPECT_EQ(bios->find("<loader"), std::string::npos);
  spec.firmware = {.code = "/usr/code.fd", .variables = "/volumes/n.uefi"};
  const auto uefi = build_domain_xml(spec, XmlDialect::qemu);
  ASSERT_TRUE(uefi);
  EXPECT_NE(uefi->find("<loader readonly=\"yes\" type=\"pflash\">/usr/code.fd</loader>"),
            std::string::npos)
      << *uefi;
  EXPECT_NE(uefi->find("<nvram>/volumes/n.uefi</nvram>"), std::string::npos);
  EXPECT_FALSE(verify_domain_xml(*bios, spec, XmlDialect::qemu));
  spec.firmware.variables = "/volumes/other.uefi";
  EXPECT_FALSE(verify_domain_xml(*uefi, spec, XmlDialect::qemu));
}

TEST(DomainXml, IsParsedWithoutEntitiesOrFiles) {
  const std::string hostile =
      "<!DOCTYPE d [<!ENTITY xxe SYSTEM 'file:///etc/hostname'><!ENTITY a 'aaaaaaaaaa'>"
      "<!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'>]>"
      "<domain><title>&xxe;&c;</title></domain>";
  const auto document = XmlDocument::parse(hostile);
  if (!document) return;
  EXPECT_LT(document->root().text_at("title").size(), 200U) << "an entity was expanded";
}

TEST(DomainXml, ReadsAnEpochOnlyFromItsOwnElement) {
  const std::string ours =
      std::string("<nucleus:domain xmlns:nucleus='") + metadata_uri + "' epoch='12'/>";
  EXPECT_EQ(epoch_in_metadata(ours), 12U);
  // As libvirt returns it after it has resolved the namespace.
  EXPECT_EQ(epoch_in_metadata("<domain epoch='12'/>"), 12U);
  EXPECT_EQ(epoch_in_metadata("<other epoch='12'/>"), 0U);
  EXPECT_EQ(epoch_in_metadata("<x:domain xmlns:x='urn:other' epoch='12'/>"), 0U);
  for (const char* wrong : {"", "x", "<", "<nucleus:domain epoch='12'/>"})
    EXPECT_EQ(epoch_in_metadata(wrong), 0U) << wrong;
  const auto with = [&](const std::string& epoch) {
    return epoch_in_metadata(std::string("<n:domain xmlns:n='") + metadata_uri + "' epoch='" +
                             epoch + "'/>");
  };
  for (const char* wrong : {"", "-1", "1x", " 1", "99999999999999999999"})
    EXPECT_EQ(with(wrong), 0U) << wrong;
}

}  // namespace
}  // namespace nucleus::provisioner
