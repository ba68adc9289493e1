#include "services/provisioner/driver/libvirt_disks.hpp"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "services/provisioner/driver/libvirt_domains.hpp"
#include "services/provisioner/driver/xml_document.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

constexpr const char* first_disk = "vda";
constexpr int freeze_timeout_s = 5;        // of one command to the agent; libvirt counts in seconds
constexpr milliseconds merge_look{2'000};  // an event may be lost with libvirtd

std::string target_of(const XmlElement& disk) {
  return disk.attribute_at("target", "dev");
}

std::optional<XmlElement> find_first_disk(const XmlDocument& document) {
  const auto devices = document.root().find("devices");
  if (!devices) return std::nullopt;
  for (const auto& disk : devices->children("disk"))
    if (target_of(disk) == first_disk) return disk;
  return std::nullopt;
}

core::Result<std::string> xml_of(virDomain* domain) {
  std::string xml = take_libvirt_text(virDomainGetXMLDesc(domain, 0));
  if (xml.empty()) return std::unexpected(libvirt_error());
  return xml;
}

std::unexpected<core::Error> has_no_disk() {
  return core::refuse(ErrorCode::wrong_state, "the domain has no disk of its own");
}

/// The guest's file systems are frozen while this lives, if its agent answers in time. A guest that
/// froze them too late is thawed all the same.
class Freeze {
 public:
  explicit Freeze(virDomain* domain) : domain_{domain} {
    virDomainAgentSetResponseTimeout(domain, freeze_timeout_s, 0);
    has_agent_ = virDomainFSFreeze(domain, nullptr, 0, 0) >= 0 ||
                 libvirt_error().code != ErrorCode::wrong_state;
  }
  ~Freeze() {
    if (has_agent_) virDomainFSThaw(domain_, nullptr, 0, 0);
  }
  Freeze(const Freeze&) = delete;
  Freeze& operator=(const Freeze&) = delete;

 private:
  virDomain* domain_;
  bool has_agent_ = false;
};

bool is_in(const std::vector<std::string>& files, const std::string& path) {
  return std::ranges::find(files, path) != files.end();
}

/// The events of a domain's block jobs, while this lives.
class JobEvents {
 public:
  explicit JobEvents(virDomain* domain) : connection_{virDomainGetConnect(domain)} {
    auto owned = std::make_unique<std::shared_ptr<State>>(state_);
    const virConnectDomainEventBlockJobCallback on_event = &JobEvents::hear;
    callback_ = virConnectDomainEventRegisterAny(
        connection_, domain, VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, VIR_DOMAIN_EVENT_CALLBACK(on_event),
        owned.get(), [](void* state) { delete static_cast<std::shared_ptr<State>*>(state); });
    if (callback_ >= 0) (void)owned.release();
  }
  ~JobEvents() {
    if (callback_ >= 0) virConnectDomainEventDeregisterAny(connection_, callback_);
  }
  JobEvents(const JobEvents&) = delete;
  JobEvents& operator=(const JobEvents&) = delete;

  /// Returns after an event, or after `time_max`.
  void await(milliseconds time_max) {
    std::unique_lock lock{state_->mutex};
    state_->changed.wait_for(lock, time_max, [&] { return state_->count > 0; });
    state_->count = 0;
  }

 private:
  struct State {
    std::mutex mutex = {};
    std::condition_variable changed = {};
    int count = 0;
  };
  static void hear(virConnect*, virDomain*, const char*, int, int, void* opaque) {
    const auto state = *static_cast<std::shared_ptr<State>*>(opaque);
    const std::scoped_lock lock{state->mutex};
    ++state->count;
    state->changed.notify_all();
  }

  virConnect* connection_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  int callback_ = -1;
};

/// The job ends when its files have left the chain.
core::Result<void> wait_for_merge(virDomain* domain, JobEvents& events, const OverlayMerge& merge) {
  const auto end = Clock::now() + merge.deadline;
  for (;;) {
    virDomainBlockJobInfo job{};
    const int found = virDomainGetBlockJobInfo(domain, first_disk, &job, 0);
    if (found < 0) return std::unexpected(libvirt_error());
    if (found == 0) {
      const auto files = disk_files_of(domain);
      if (!files) return std::unexpected(files.error());
      if (!is_in(*files, merge.top)) return {};
      return core::refuse(ErrorCode::internal, "the files of the disk were not merged");
    }
    if (Clock::now() >= end) {
      virDomainBlockJobAbort(domain, first_disk, 0);
      return core::refuse(ErrorCode::deadline_exceeded, "merging files of the disk takes too long");
    }
    events.await(merge_look);
  }
}

}  // namespace

std::vector<std::string> disk_files_in_xml(const std::string& xml) {
  const auto document = XmlDocument::parse(xml);
  if (!document) return {};
  std::vector<std::string> files;
  for (auto element = find_first_disk(*document); element; element = element->find("backingStore"))
    if (const auto file = element->attribute_at("source", "file"); !file.empty())
      files.push_back(file);
  return files;
}

std::string snapshot_xml(const std::string& domain_xml, const std::string& overlay) {
  const auto domain = XmlDocument::parse(domain_xml);
  XmlDocument document{"domainsnapshot"};
  auto disks = document.root().add("disks");
  const auto devices = domain ? domain->root().find("devices") : std::nullopt;
  if (!devices) return document.serialized();
  for (const auto& disk : devices->children("disk")) {
    auto element = disks.add("disk");
    element.set("name", target_of(disk));
    const bool is_first = target_of(disk) == first_disk;
    element.set("snapshot", is_first ? "external" : "no");
    if (!is_first) continue;
    element.set("type", "file");
    element.add("driver").set("type", "qcow2");
    element.add("source").set("file", overlay);
  }
  return document.serialized();
}

core::Result<std::vector<std::string>> disk_files_of(virDomain* domain) {
  const auto xml = xml_of(domain);
  if (!xml) return std::unexpected(xml.error());
  auto files = disk_files_in_xml(*xml);
  if (files.empty()) return has_no_disk();
  return files;
}

core::Result<void> add_overlay_to(virDomain* domain, const std::string& overlay) {
  const auto xml = xml_of(domain);
  if (!xml) return std::unexpected(xml.error());
  if (disk_files_in_xml(*xml).empty()) return has_no_disk();
  constexpr unsigned flags =
      VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA |
      VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC | VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT;
  const Freeze freeze{domain};
  auto* snapshot = virDomainSnapshotCreateXML(domain, snapshot_xml(*xml, overlay).c_str(), flags);
  if (!snapshot) return std::unexpected(libvirt_error());
  virDomainSnapshotFree(snapshot);
  return {};
}

core::Result<void> merge_overlays_of(virDomain* domain, const OverlayMerge& merge) {
  const auto files = disk_files_of(domain);
  if (!files) return std::unexpected(files.error());
  if (!is_in(*files, merge.base) || files->front() == merge.top)
    return core::refuse(ErrorCode::wrong_state, "the domain has no such files below its top");
  if (!is_in(*files, merge.top)) return {};  // they were merged by an earlier call
  JobEvents events{domain};
  virDomainBlockJobInfo job{};
  const bool is_under_way = virDomainGetBlockJobInfo(domain, first_disk, &job, 0) > 0;
  if (!is_under_way &&
      virDomainBlockCommit(domain, first_disk, merge.base.c_str(), merge.top.c_str(), 0, 0) < 0)
    return std::unexpected(libvirt_error());
  return wait_for_merge(domain, events, merge);
}

}  // namespace nucleus::provisioner
