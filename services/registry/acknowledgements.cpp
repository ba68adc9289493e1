// The registry's handlers for the acknowledgement of responsibility, which PIs and cluster admins
// sign before their projects' nodes may be powered on. A signature is never changed or removed.
#include <fmt/format.h>

#include <algorithm>

#include "core/digest/digest.hpp"
#include "core/list/page_builder.hpp"
#include "services/registry/credentials.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/missing_signers.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

constexpr std::size_t text_bytes_max = 65'536;

/// The key by which a project's acknowledgements are listed: oldest first.
std::string list_key(const msg::Acknowledgement& one) {
  return fmt::format("{:012}/{:010}/{}/{}", one.signed_unix_s, one.version, one.person_id.value,
                     msg::name_of(one.role));
}

}  // namespace

msg::AcknowledgementText Service::acknowledgement_text() const {
  msg::AcknowledgementText newest;
  store_.for_each<StoredText>(keys::acknowledgement_texts(),
                              [&](const StoredText& stored) { newest = stored.text; });
  return newest;
}

std::vector<msg::Acknowledgement> Service::acknowledgements_of(
    const msg::ProjectId& project_id) const {
  std::vector<msg::Acknowledgement> all;
  store_.for_each<StoredAcknowledgement>(
      keys::acknowledgements(project_id),
      [&](const StoredAcknowledgement& stored) { all.push_back(stored.acknowledgement); });
  std::ranges::sort(all, {}, list_key);
  return all;
}

core::Result<msg::AcknowledgementText> Service::set_acknowledgement_text(
    const msg::SetAcknowledgementText& request, core::Context& context) {
  if (request.text.size() > text_bytes_max)
    return std::unexpected(msg::invalid("text", "text is over 65536 bytes"));
  if (request.text.empty() && request.is_required)
    return std::unexpected(msg::invalid("text", "a required text must not be empty"));
  const auto before = acknowledgement_text();
  auto after = before;
  after.is_required = request.is_required;
  if (request.text != before.text) {
    after.text = request.text;
    ++after.version;
  }
  auto tx = store_.begin(context);
  tx.write(keys::acknowledgement_text(after.version), StoredText{after});
  store_.for_each<StoredProject>(keys::projects(), [&](const StoredProject& project) {
    const auto signed_by = acknowledgements_of(project.project_id);
    const auto was = missing_signers(before, signed_by, project.defined_unix_s);
    const auto is = missing_signers(after, signed_by, project.defined_unix_s);
    if (was != is)
      tx.emit(msg::AcknowledgementChanged{.project_id = project.project_id,
                                          .is_acknowledged = is.empty(),
                                          .reason = reason_of(is, project.project_id)});
  });
  return tx.commit(after);
}

core::Result<msg::Acknowledgement> Service::sign_acknowledgement(
    const msg::SignAcknowledgement& request, core::Context& context) {
  auto tx = store_.begin(context);
  const auto* person = tx.read(keys::person(request.person_id));
  if (!person) return no_such_person(request.person_id);
  const auto* project = tx.read(keys::project(request.project_id));
  const auto& theirs = person->person.projects;
  if (!project || std::ranges::find(theirs, request.project_id) == theirs.end())
    return no_such_project(request.project_id, "project_id");
  const auto role = person->person.role;
  if (role != msg::Role::pi && role != msg::Role::cluster_admin)
    return core::refuse(core::ErrorCode::forbidden, "only a PI or a cluster admin may sign");
  const auto text = acknowledgement_text();
  if (text.version == 0 || text.version != request.version)
    return core::refuse(core::ErrorCode::conflict,
                        "the current text is version " + std::to_string(text.version), "version");
  const auto before = acknowledgements_of(request.project_id);
  for (const auto& one : before)
    if (one.person_id == request.person_id && one.role == role && one.version == request.version &&
        one.signed_unix_s >= project->defined_unix_s)
      return one;
  const msg::Acknowledgement acknowledgement{.project_id = request.project_id,
                                             .person_id = request.person_id,
                                             .role = role,
                                             .version = request.version,
                                             .text_sha256 = core::sha256_hex(text.text),
                                             .signed_unix_s = context.now_unix_s()};
  auto after = before;
  after.push_back(acknowledgement);
  const auto was = missing_signers(text, before, project->defined_unix_s);
  const auto is = missing_signers(text, after, project->defined_unix_s);
  tx.write(keys::acknowledgement(acknowledgement), StoredAcknowledgement{acknowledgement});
  if (was != is)
    tx.emit(msg::AcknowledgementChanged{.project_id = request.project_id,
                                        .is_acknowledged = is.empty(),
                                        .reason = reason_of(is, request.project_id)});
  return tx.commit(acknowledgement);
}

core::Result<msg::AcknowledgementStatus> Service::get_acknowledgements(
    const msg::GetAcknowledgements& request, core::Context&) {
  const auto* project = store_.read(keys::project(request.project_id));
  if (!project) return no_such_project(request.project_id, "project_id");
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  const auto all = acknowledgements_of(request.project_id);
  msg::AcknowledgementStatus status{.text = acknowledgement_text()};
  status.missing = missing_signers(status.text, all, project->defined_unix_s);
  status.is_acknowledged = status.missing.empty();
  core::PageBuilder<msg::Acknowledgement> page{request.page};
  for (const auto& one : all) {
    const auto key = list_key(one);
    if (key > request.page.after && !page.add(one, key)) break;
  }
  status.acknowledgements = page.take();
  status.next = page.next();
  return status;
}

}  // namespace nucleus::registry
