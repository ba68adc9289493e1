// The XML of the profile hpc contains exactly its plan: whatever libvirt would change of it is
// noticed, and no name or value becomes an element.
#include "services/provisioner/driver/tuning_xml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "services/provisioner/driver/domain_use.hpp"
#include "services/provisioner/driver/domain_xml.hpp"

namespace nucleus::provisioner {
namespace {

using ::testing::HasSubstr;

// As the issue asks. A build with sanitizers takes ten times as long for each.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int fuzzed_specs = 10'000;
#else
constexpr int fuzzed_specs = 100'000;
#endif

CpuPlan two_cell_plan() {
  return {.pins = {1, 9, 2, 10, 5, 13, 6, 14},
          .emulator = {0, 4, 8, 12},
          .sockets = 2,
          .dies = 1,
          .cores = 2,
          .threads = 2,
          .cells = {{.host_cell = 0, .cpus = 4, .memory_kib = 2 << 20},
                    {.host_cell = 3, .cpus = 4, .memory_kib = 1 << 20}},
          .distances = {{10, 21}, {21, 10}},
          .page_kib = large_page_kib,
          .has_topoext = true};
}

DomainSpec tuned_spec() {
  return {.name = "n-1",
          .uuid = domain_uuid("n-1"),
          .epoch = 7,
          .title = "demo/vm-demo-00",
          .cpus = 8,
          .memory_mb = 3072,
          .accel = Accel::kvm,
          .disks = {{.path = "/volumes/n-1.qcow2", .format = "qcow2"},
                    {.path = "/iso", .format = "raw", .is_read_only = true, .is_cdrom = true}},
          .ports = {{.mac = "52:54:00:0a:0b:0c",
                     .bridge = "nucleus0",
                     .vlan = 101,
                     .device = "nuc-0a0b0c"}},
          .runtime_dir = "/state/domains",
          .cpu_plan = two_cell_plan()};
}

std::string built(const DomainSpec& spec) {
  const auto xml = build_domain_xml(spec, XmlDialect::qemu);
  EXPECT_TRUE(xml) << xml.error().detail;
  return xml.value_or("");
}

bool is_verified(const std::string& xml, const DomainSpec& spec) {
  return verify_domain_xml(xml, spec, XmlDialect::qemu).has_value();
}

TEST(TuningXml, HasWhatThePlanSays) {
  const auto document = XmlDocument::parse(built(tuned_spec()));
  const auto domain = document->root();
  EXPECT_EQ(domain.attribute_at("cpu", "mode"), "host-passthrough");
  EXPECT_EQ(domain.attribute_at("cpu", "migratable"), "off");
  EXPECT_EQ(domain.attribute_at("cpu/topology", "sockets"), "2");
  EXPECT_EQ(domain.attribute_at("cpu/feature", "name"), "topoext");
  EXPECT_EQ(domain.find("cpu/numa")->children("cell")[1].attribute("cpus"), "4-7");
  EXPECT_EQ(domain.find("cpu/numa")->children("cell")[1].attribute("memory"), "1048576");
  EXPECT_EQ(domain.find("cputune")->children("vcpupin")[5].attribute("cpuset"), "13");
  EXPECT_EQ(domain.attribute_at("cputune/emulatorpin", "cpuset"), "0,4,8,12");
  EXPECT_EQ(domain.attribute_at("cputune/iothreadpin", "cpuset"), "0,4,8,12");
  EXPECT_EQ(domain.attribute_at("numatune/memory", "nodeset"), "0,3");
  EXPECT_EQ(domain.find("numatune")->children("memnode")[1].attribute("nodeset"), "3");
  EXPECT_EQ(domain.attribute_at("memoryBacking/hugepages/page", "size"), "1048576");
  EXPECT_TRUE(domain.find("memoryBacking/nosharepages"));
  EXPECT_EQ(domain.attribute_at("devices/memballoon", "model"), "none");
  EXPECT_EQ(domain.attribute_at("features/ioapic", "driver"), "kvm");
  const auto disks = domain.find("devices")->children("disk");
  EXPECT_EQ(disks[0].attribute_at("driver", "iothread"), "") << "a CD-ROM";
  EXPECT_EQ(disks[1].attribute_at("driver", "iothread"), "1");
}

TEST(TuningXml, IsOfTheProfileAlone) {
  auto spec = tuned_spec();
  const auto tuned = built(spec);
  spec.cpu_plan.reset();
  const auto standard = built(spec);
  for (const char* name : {"memoryBacking", "numatune", "cputune", "iothread", "topology", "timer"})
    EXPECT_EQ(standard.find(name), std::string::npos) << name;
  EXPECT_FALSE(is_verified(tuned, spec));
  EXPECT_FALSE(is_verified(standard, tuned_spec()));
}

TEST(TuningXml, IsVerifiedWithWhatLibvirtAdds) {
  std::string xml = built(tuned_spec());
  const auto replace = [&](const std::string& from, const std::string& to) {
    const auto at = xml.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    xml.replace(at, from.size(), to);
  };
  replace("<vcpu>", "<vcpu placement=\"static\">");
  replace("<topology", "<topology clusters=\"1\"");
  replace("<iothreads>", "<iothreadids><iothread id=\"1\"/></iothreadids><iothreads>");
  replace("<numa>", "<feature policy=\"require\" name=\"invtsc\"/><numa>");
  const auto same = verify_domain_xml(xml, tuned_spec(), XmlDialect::qemu);
  EXPECT_TRUE(same) << same.error().detail;
}

/// All elements below one of the parts that the profile makes, the part included.
std::vector<xmlNode*> tuning_nodes(xmlDoc* document) {
  std::vector<xmlNode*> nodes;
  const std::function<void(xmlNode*)> add = [&](xmlNode* node) {
    nodes.push_back(node);
    for (auto* child = node->children; child; child = child->next)
      if (child->type == XML_ELEMENT_NODE) add(child);
  };
  for (auto* part = xmlDocGetRootElement(document)->children; part; part = part->next) {
    const std::string name = reinterpret_cast<const char*>(part->name);
    if (is_tuning_element(name) || name == "cpu" || name == "vcpu" || name == "features" ||
        name == "clock")
      add(part);
  }
  return nodes;
}

struct FreeDocument {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};
using Document = std::unique_ptr<xmlDoc, FreeDocument>;

Document parsed(const std::string& xml) {
  return Document{xmlReadMemory(xml.data(), static_cast<int>(xml.size()), nullptr, nullptr, 0)};
}

std::string text_of(xmlDoc* document) {
  xmlChar* buffer = nullptr;
  int size = 0;
  xmlDocDumpMemory(document, &buffer, &size);
  std::string text(reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(size));
  xmlFree(buffer);
  return text;
}

const xmlChar* of(const char* text) {
  return reinterpret_cast<const xmlChar*>(text);
}

/// Every element is removed, doubled, given a child and an attribute; every attribute is changed
/// and removed; every text is changed: one change at a time.
TEST(TuningXml, IsRefusedAfterEveryChange) {
  const auto spec = tuned_spec();
  const auto xml = built(spec);
  const auto count = tuning_nodes(parsed(xml).get()).size();
  ASSERT_GT(count, 40U);
  int changes = 0;
  const auto expect_refusal = [&](std::size_t i, const char* what, auto change) {
    const auto document = parsed(xml);
    auto* node = tuning_nodes(document.get())[i];
    const std::string name = reinterpret_cast<const char*>(node->name);
    if (!change(node)) return;
    ++changes;
    EXPECT_FALSE(is_verified(text_of(document.get()), spec)) << name << " " << what;
  };
  for (std::size_t i = 0; i < count; ++i) {
    expect_refusal(i, "removed", [](xmlNode* node) {
      xmlUnlinkNode(node);
      xmlFreeNode(node);
      return true;
    });
    expect_refusal(i, "doubled", [](xmlNode* node) {
      if (std::string_view(reinterpret_cast<const char*>(node->name)) == "feature") return false;
      return xmlAddNextSibling(node, xmlCopyNode(node, 1)) != nullptr;
    });
    expect_refusal(i, "with a child", [](xmlNode* node) {
      return xmlNewChild(node, nullptr, of("qemu"), nullptr) != nullptr;
    });
    expect_refusal(i, "with an attribute",
                   [](xmlNode* node) { return xmlNewProp(node, of("other"), of("1")) != nullptr; });
    expect_refusal(i, "with another text", [](xmlNode* node) {
      if (!node->children || node->children->type != XML_TEXT_NODE) return false;
      xmlNodeSetContent(node, of("77"));
      return true;
    });
    for (int n = 0;; ++n) {
      bool is_there = false;
      const auto attribute = [&](xmlNode* node) {
        auto* one = node->properties;
        for (int k = 0; k < n && one; ++k) one = one->next;
        is_there = is_there || one;
        return one;
      };
      expect_refusal(i, "with another value", [&](xmlNode* node) {
        auto* one = attribute(node);
        if (one) xmlSetProp(node, one->name, of("77"));
        return one != nullptr;
      });
      expect_refusal(i, "without an attribute", [&](xmlNode* node) {
        auto* one = attribute(node);
        if (one) xmlRemoveProp(one);
        return one != nullptr;
      });
      if (!is_there) break;
    }
  }
  EXPECT_GT(changes, 300);
}

TEST(TuningXml, IsRefusedIfItsDisksHaveNoThreadOrItHasABalloon) {
  const auto spec = tuned_spec();
  const auto xml = built(spec);
  const auto without = [&](const std::string& part, const std::string& other) {
    auto changed = xml;
    const auto at = changed.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    if (at != std::string::npos) changed.replace(at, part.size(), other);
    return changed;
  };
  EXPECT_FALSE(is_verified(without(" iothread=\"1\"", ""), spec));
  EXPECT_FALSE(
      is_verified(without("memballoon model=\"none\"", "memballoon model=\"virtio\""), spec));
}

TEST(TuningXml, NeedsAPlanOfTheSizeOfTheDomain) {
  const auto refusal = [](auto change) {
    auto spec = tuned_spec();
    change(*spec.cpu_plan);
    const auto broken = check_spec(spec);
    return broken ? broken->field : "";
  };
  EXPECT_EQ(refusal([](CpuPlan&) {}), "");
  EXPECT_EQ(refusal([](CpuPlan& p) { p.pins.pop_back(); }), "cpu_plan");
  EXPECT_EQ(refusal([](CpuPlan& p) { p.threads = 1; }), "cpu_plan");
  EXPECT_EQ(refusal([](CpuPlan& p) { p.emulator.clear(); }), "cpu_plan");
  EXPECT_EQ(refusal([](CpuPlan& p) { p.cells[0].cpus = 3; }), "cpu_plan");
  EXPECT_EQ(refusal([](CpuPlan& p) { p.cells[0].memory_kib += 1; }), "cpu_plan");
  EXPECT_EQ(refusal([](CpuPlan& p) { p.cells[0].memory_kib += large_page_kib; }), "cpu_plan");
  EXPECT_EQ(refusal([](CpuPlan& p) { p.page_kib = 0; }), "cpu_plan");
  EXPECT_EQ(refusal([](CpuPlan& p) { p.distances.pop_back(); }), "cpu_plan");
}

std::size_t elements_below(const XmlElement& element) {
  std::size_t count = 1;
  for (const auto& child : element.children()) count += elements_below(child);
  return count;
}

std::string fuzzed_text(std::mt19937_64& random) {
  static const std::string pieces[] = {"'/><vcpupin vcpu='0' cpuset='0'/><x a='",
                                       "\"/><memballoon model=\"virtio\"/><x a=\"",
                                       "</cputune><cputune>",
                                       "</title><iothreads>8</iothreads><title>",
                                       "<![CDATA[<numatune/>]]>",
                                       "<!--",
                                       "-->",
                                       "&#60;locked/&#62;",
                                       "&amp;",
                                       "&xxe;",
                                       "<?xml version='1.0'?>",
                                       "'",
                                       "\"",
                                       "<",
                                       ">",
                                       "&",
                                       "/",
                                       "0-3,^1",
                                       "a",
                                       "9",
                                       "\xc3\xa9",
                                       "\xff",
                                       "\n",
                                       "\t",
                                       " "};
  std::string text;
  for (auto left = 1 + random() % 5; left > 0; --left) text += pieces[random() % std::size(pieces)];
  return text;
}

/// Numbers that fit each other, each from its whole range.
CpuPlan fuzzed_plan(std::mt19937_64& random) {
  CpuPlan plan{.sockets = static_cast<std::uint32_t>(1 + random() % 2),
               .dies = static_cast<std::uint32_t>(1 + random() % 2),
               .cores = static_cast<std::uint32_t>(1 + random() % 3),
               .threads = static_cast<std::uint32_t>(1 + random() % 2),
               .page_kib = random() % 2 ? large_page_kib : small_page_kib,
               .has_topoext = random() % 2 == 0};
  const auto cpus = plan.sockets * plan.dies * plan.cores * plan.threads;
  const auto cpu = [&] { return static_cast<std::uint32_t>(random() % (cpu_id_max + 1)); };
  for (std::uint32_t i = 0; i < cpus; ++i) plan.pins.push_back(cpu());
  for (auto left = 1 + random() % 6; left > 0; --left) plan.emulator.insert(cpu());
  const auto cells = plan.sockets * plan.dies;
  for (std::uint32_t i = 0; i < cells; ++i)
    plan.cells.push_back({.host_cell = cpu(),
                          .cpus = cpus / cells,
                          .memory_kib = (1 + random() % 512) * large_page_kib});
  if (random() % 2)
    for (std::uint32_t i = 0; i < cells; ++i) {
      auto& row = plan.distances.emplace_back();
      for (std::uint32_t j = 0; j < cells; ++j)
        row.push_back(i == j ? 10 : static_cast<std::uint32_t>(11 + random() % 240));
    }
  return plan;
}

std::size_t elements_of(const CpuPlan& plan) {
  const auto cells = plan.cells.size();
  const auto distances = plan.distances.empty() ? 0 : cells + cells * cells;
  return plan.pins.size() + 2 * cells + distances + (plan.has_topoext ? 1U : 0U);
}

TEST(TuningXml, HasNoElementMoreFromFuzzedNamesAndValues) {
  std::mt19937_64 random(1);
  const auto plain = tuned_spec();
  const auto others =
      elements_below(XmlDocument::parse(built(plain))->root()) - elements_of(*plain.cpu_plan);
  int accepted = 0;
  for (int i = 0; i < fuzzed_specs; ++i) {
    auto spec = plain;
    spec.cpu_plan = fuzzed_plan(random);
    spec.cpus = static_cast<std::uint32_t>(spec.cpu_plan->pins.size());
    spec.memory_mb = 0;
    for (const auto& cell : spec.cpu_plan->cells) spec.memory_mb += cell.memory_kib / 1024;
    const auto text = fuzzed_text(random);
    const std::array fields{
        &spec.name,        &spec.title,           &spec.disks[0].path,   &spec.disks[1].path,
        &spec.runtime_dir, &spec.ports[0].bridge, &spec.ports[0].device, &spec.disks[0].format,
        &spec.uuid};
    const auto field = random() % (fields.size() + 4);  // some change no text
    if (field < fields.size()) *fields[field] = (field >= 2 && field <= 4 ? "/" : "") + text;
    const auto xml = build_domain_xml(spec, XmlDialect::qemu);
    if (!xml) {
      EXPECT_LT(field, fields.size()) << xml.error().detail;
      EXPECT_EQ(xml.error().code, core::ErrorCode::invalid_argument);
      continue;
    }
    ++accepted;  // it was parsed back and compared before it was returned
    const auto document = XmlDocument::parse(*xml);
    ASSERT_TRUE(document) << *xml;
    ASSERT_EQ(elements_below(document->root()), others + elements_of(*spec.cpu_plan)) << *xml;
    if (i % 20 != 0) continue;
    auto other = spec;
    other.cpu_plan->pins[random() % spec.cpus] ^= 1;
    ASSERT_FALSE(is_verified(*xml, other)) << *xml;
  }
  EXPECT_GT(accepted, fuzzed_specs / 4);
}

TEST(DomainUse, IsReadFromDomainsOfOthers) {
  HostUse use;
  add_domain_use(use,
                 "<domain><name>a</name><memory unit='KiB'>4194304</memory>"
                 "<memoryBacking><hugepages/></memoryBacking><vcpu cpuset='2-3'>4</vcpu>"
                 "<numatune><memory mode='strict' nodeset='1'/></numatune></domain>");
  EXPECT_EQ(use.cpus, (CpuSet{2, 3}));
  ASSERT_EQ(use.pages.size(), 1U);
  EXPECT_EQ(use.pages[0].cell, 1U);
  EXPECT_EQ(use.pages[0].size_kib, small_page_kib);
  EXPECT_EQ(use.pages[0].count, 2048U);
  add_domain_use(use,
                 "<domain><name>b</name><vcpu>2</vcpu><cputune>"
                 "<vcpupin vcpu='0' cpuset='5'/></cputune></domain>");
  EXPECT_EQ(use.unpinned, std::vector<std::string>{"b"}) << "its second vCPU runs anywhere";
  add_domain_use(use, "not XML");
  EXPECT_EQ(use.unpinned.size(), 1U);
}

}  // namespace
}  // namespace nucleus::provisioner
