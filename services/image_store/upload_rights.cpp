#include "services/image_store/upload_rights.hpp"

#include "messages/people.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds recheck_timeout{5'000};

bool has_right(const msg::Principal& who, const StoredUpload& upload) {
  const auto owner = owner_of(upload.image_id);
  return msg::may(who, msg::Right::images) &&
         (owner.value == "public" ? msg::viewer_of(who).is_operator : msg::sees(who, owner));
}

}  // namespace

void set_holder(StoredUpload& upload, const msg::BeginUpload& request) {
  upload.person_id = request.person_id;
  upload.person_uid = request.person_uid;
  upload.token_id = upload.is_fetched() ? "" : request.token_id;
}

void check_upload_right(core::Bus& bus, const StoredUpload& upload,
                        std::function<void(core::Result<void>)> done) {
  if (upload.person_id.empty()) return done({});
  bus.call(msg::RecheckCredential{.person_id = upload.person_id,
                                  .token_id = upload.token_id,
                                  .person_uid = upload.person_uid},
           {.deadline = recheck_timeout},
           [upload, done = std::move(done)](const core::Result<msg::Principal>& who) {
             if (who && has_right(*who, upload)) return done({});
             if (!who && who.error().code != ErrorCode::unauthenticated)
               return done(std::unexpected(who.error()));
             done(core::refuse(ErrorCode::forbidden, "the right to this upload has ended"));
           });
}

}  // namespace nucleus::image_store
