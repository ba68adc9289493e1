// Lists every message and every stored record, for the golden and mutation tests. A test fails if a
// topic of messages/ is missing here.
#pragma once

#include <cstring>
#include <string>

#include "messages/adapters.hpp"
#include "messages/allocations.hpp"
#include "messages/console.hpp"
#include "messages/explanations.hpp"
#include "messages/fabric_states.hpp"
#include "messages/image_store.hpp"
#include "messages/isolation.hpp"
#include "messages/layers.hpp"
#include "messages/network.hpp"
#include "messages/overhead.hpp"
#include "messages/people.hpp"
#include "messages/plans.hpp"
#include "messages/process.hpp"
#include "messages/provisioner.hpp"
#include "messages/recordings.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "services/console/records.hpp"
#include "services/image_store/records.hpp"
#include "services/network/records.hpp"
#include "services/overhead/records.hpp"
#include "services/provisioner/records.hpp"
#include "services/registry/records.hpp"
#include "services/scheduler/records.hpp"

namespace nucleus::tests {

template <class T>
concept RequestMessage = msg::Struct<T> && requires {
  typename T::Reply;
};

/// Calls `visit.operator()<T>(file, kind)` for each struct T with golden bytes; `file` is the file
/// in golden/, `kind` is request, reply, event, envelope or record.
template <class... Messages, class Visit>
void visit_messages(Visit& visit) {
  const auto one = [&]<class T>() {
    const std::string topic{T::topic};
    if constexpr (RequestMessage<T>) {
      visit.template operator()<T>(topic, "request");
      visit.template operator()<typename T::Reply>(topic, "reply");
    } else {
      visit.template operator()<T>(topic, "event");
    }
  };
  (one.template operator()<Messages>(), ...);
}

template <class Visit>
void for_every_request_and_event(Visit&& visit) {
  using namespace msg;
  visit_messages<DefineProject, ChangeProject, ListProjects, RemoveProject, DefinePerson, GetPerson,
                 ListPeople, RemovePerson, SetPassword, CheckPassword, IssueKey, ReplaceKey,
                 IssueToken, ListTokens, RevokeToken, CheckToken, CheckSignature, RecheckCredential,
                 CredentialsChanged, BindIdempotencyKey, SetAcknowledgementText,
                 SignAcknowledgement, GetAcknowledgements, AcknowledgementChanged, ChangeProfile,
                 PersonDefined, PersonRemoved, ProjectDefined, ProjectRemoved>(visit);
  visit_messages<DefineCluster, RemoveCluster, ChangeCluster, ChangeNode, ChangeNodes, AddNodes,
                 RemoveNode, ListClusters, ListNodes, ClusterDefined, NodeDefined, NodeRemoved,
                 ClusterRemoved>(visit);
  visit_messages<
      StartComputeset, PowerComputeset, ChangeWalltime, GrowComputeset, ShrinkComputeset,
      HibernateComputeset, ResumeComputeset, KeepMemories, PowerNode, PowerNodes, ListComputesets,
      ListNodeStatuses, ListHosts, ReportHost, ReportDomains, DrainHost, RemoveHost, HostRemoved,
      ClassifyHost, DefineHostClass, RemoveHostClass, ListHostClasses, HostClassChanged,
      HostClassRemoved, DefineReservation, RemoveReservation, ListReservations, ReservationChanged,
      ReservationRemoved, DefineAllocation, ListAllocations, ListUsage, SumUsage, PlanStart,
      PlanGrowth, PlanChange, ExplainComputeset, ExplainNode, ExplainHost, ComputesetChanged,
      NodeChanged, ComputesetIdle, HostChanged, AllocationChanged, AllocationRemoved, BudgetReached,
      WalltimeNotice, ListIsolations, IsolationChanged, GetDisk, ChangeDisk>(visit);
  visit_messages<ApplyGrants, RemoveVolumes, SealDisk, SendLayer, DomainChanged, CheckConsole,
                 StreamConsole, ProbeNode, ProbeHost, RunMeasurement, RunLinks, NotifyNode,
                 CheckIsolation>(visit);
  visit_messages<BeginUpload, FinishUpload, ListUploads, RemoveUpload, ImportImage, ListImages,
                 ListVolumes, TagImage, UntagImage, RemoveImage, WorkOnDisk, SaveImage,
                 ReceiveLayer, ImagePublished, ImageRemoved, ImageTagged, ImageUntagged,
                 VolumeChanged, VolumePlaced>(visit);
  visit_messages<ListNetworks, ListFabrics, NetworkLeased, PortsLeased, NetworkReleased>(visit);
  visit_messages<AdaptersLeased, AdaptersReleased, PartitionsJoined, PartitionsLeft>(visit);
  visit_messages<IssueTicket, ConsoleSessionChanged, ListRecordings, RemoveRecording, ReadRecording,
                 RecordingChanged, RecordingRemoved>(visit);
  visit_messages<Ping, GetProcessStatus, GetProcessConfig, DrainProcess>(visit);
  visit_messages<MeasureCluster, GetReport, GetCertificate, ListCertificates, GetSigningKey,
                 OverheadMeasured, MeasureLinks, GetLinks, LinksMeasured>(visit);
}

template <class Visit>
void for_every_record(Visit&& visit) {
  const auto one = [&]<class T>(const char* name) {
    visit.template operator()<T>(std::string("record.") + name, "record");
  };
  one.template operator()<registry::StoredProject>("registry.project");
  one.template operator()<registry::StoredPerson>("registry.person");
  one.template operator()<registry::StoredKey>("registry.api-key");
  one.template operator()<registry::StoredToken>("registry.token");
  one.template operator()<registry::StoredNonce>("registry.nonce");
  one.template operator()<registry::StoredIdempotencyKey>("registry.idempotency-key");
  one.template operator()<registry::StoredText>("registry.acknowledgement-text");
  one.template operator()<registry::StoredAcknowledgement>("registry.acknowledgement");
  one.template operator()<registry::StoredCluster>("registry.cluster");
  one.template operator()<registry::StoredNode>("registry.node");
  one.template operator()<scheduler::StoredCluster>("scheduler.cluster");
  one.template operator()<scheduler::StoredNode>("scheduler.node");
  one.template operator()<scheduler::StoredHost>("scheduler.host");
  one.template operator()<scheduler::StoredProject>("scheduler.project");
  one.template operator()<scheduler::StoredUnacknowledged>("scheduler.unacknowledged");
  one.template operator()<scheduler::StoredComputeset>("scheduler.computeset");
  one.template operator()<scheduler::ComputesetSummary>("scheduler.computeset-summary");
  one.template operator()<scheduler::StoredAllocation>("scheduler.allocation");
  one.template operator()<scheduler::StoredRemovedDisk>("scheduler.removed-disk");
  one.template operator()<scheduler::StoredCount>("scheduler.computeset-count");
  one.template operator()<scheduler::StoredReporter>("scheduler.reporter");
  one.template operator()<scheduler::StoredReservation>("scheduler.reservation");
  one.template operator()<scheduler::StoredWaits>("scheduler.waits");
  one.template operator()<scheduler::StoredHostClass>("scheduler.host-class");
  one.template operator()<network::StoredNetwork>("network.network");
  one.template operator()<network::StoredPorts>("network.ports");
  one.template operator()<network::StoredVlanQuarantine>("network.vlan-quarantine");
  one.template operator()<network::StoredPkeyQuarantine>("network.pkey-quarantine");
  one.template operator()<network::StoredAddressQuarantine>("network.address-quarantine");
  one.template operator()<network::StoredMembers>("network.members");
  one.template operator()<network::StoredMacCount>("network.mac-count");
  one.template operator()<image_store::StoredProject>("image_store.project");
  one.template operator()<image_store::StoredImage>("image_store.image");
  one.template operator()<image_store::StoredDoomedFolder>("image_store.doomed-folder");
  one.template operator()<image_store::StoredUpload>("image_store.upload");
  one.template operator()<image_store::StoredVolume>("image_store.volume");
  one.template operator()<provisioner::StoredGrant>("provisioner.grant");
  one.template operator()<provisioner::StoredHost>("provisioner.host");
  one.template operator()<provisioner::StoredReport>("provisioner.report");
  one.template operator()<provisioner::StoredReportLog>("provisioner.report-log");
  one.template operator()<console::StoredTicket>("console.ticket");
  one.template operator()<console::StoredSession>("console.session");
  one.template operator()<console::StoredRecording>("console.recording");
  one.template operator()<overhead::StoredReport>("overhead.report");
  one.template operator()<overhead::StoredCertificate>("overhead.certificate");
  one.template operator()<overhead::StoredLinks>("overhead.links");
}

template <class Visit>
void for_every_struct(Visit&& visit) {
  visit.template operator()<msg::Envelope>(std::string("envelope"), "envelope");
  for_every_request_and_event(visit);
  for_every_record(visit);
}

/// Sets every field of a new value, with a different number in each.
inline void fill(void* value, const msg::Type& type, std::string_view name, int& count) {
  using Kind = msg::Type::Kind;
  const auto put = [&](auto number) { std::memcpy(value, &number, type.size); };
  switch (type.kind) {
    case Kind::boolean:
      return put(true);
    case Kind::integer:  // its low bytes are its first ones
      return put(static_cast<std::int64_t>(++count));
    case Kind::floating:
      return type.size == sizeof(float) ? put(static_cast<float>(++count) + 0.5F)
                                        : put(++count + 0.5);
    case Kind::text:
      *static_cast<std::string*>(value) = std::string(name) + "-" + std::to_string(++count);
      return;
    case Kind::name:
      return put(std::uint8_t{1});
    case Kind::structure:
      for (const auto& field : type.fields())
        fill(msg::member(value, field), *field.type, field.name, count);
      return;
    case Kind::list:
    case Kind::optional:
      return fill(type.reset(value, 1), *type.element, name, count);
    case Kind::map:
      return fill(type.add(value, std::string(name)), *type.element, name, count);
  }
}

template <msg::Struct T>
T filled() {
  T value{};
  int count = 0;
  fill(&value, msg::type_of<T>, "body", count);
  return value;
}

}  // namespace nucleus::tests
