// Applies a plan: to the view, and as records with their events to a transaction.
#pragma once

#include "core/state/store.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

void apply(const Plan& plan, View& view, core::Transaction& tx);

/// The volume as its owner sees it, without paths of the store.
msg::NodeVolume node_volume(const StoredVolume& stored);

}  // namespace nucleus::image_store
