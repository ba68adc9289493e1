// The changes of a node's volume: pure functions over the view, and the table of its states.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <utility>

#include "services/image_store/driver/store_driver.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

/// Every change of a volume's state, `unknown` being no record; the table in docs/states.md, held
/// to it by a test.
constexpr std::array<std::pair<VolumeState, VolumeState>, 6> volume_transitions = {{
    {VolumeState::unknown, VolumeState::waiting},
    {VolumeState::waiting, VolumeState::ready},
    {VolumeState::ready, VolumeState::waiting},
    {VolumeState::waiting, VolumeState::removed},
    {VolumeState::ready, VolumeState::removed},
    {VolumeState::removed, VolumeState::unknown},
}};

/// A node was defined or changed: its volume is to be made, and has `new_ticket` from then on; or
/// its ISO changes. `driver` is asked for paths only.
Plan plan_definition(const View& view, const StoreDriver& driver, const msg::Node& node,
                     const std::string& new_ticket);

/// Gives a ticket to each volume of release 0.1, which had none.
Plan plan_missing_tickets(const View& view, const StoreDriver& driver,
                          const std::function<std::string()>& new_ticket);

/// The path of a file that the ticket opens. `unauthenticated`: no volume has this ticket.
/// `not_found`: the file is neither in the base of that volume nor one of its layers.
core::Result<std::string> find_base_file(const View& view, const StoreDriver& driver,
                                         const std::string& ticket, const std::string& content_id,
                                         msg::BaseFileKind kind);

/// The nodes were removed: their volumes are to be deleted.
Plan plan_removal(const View& view, const std::vector<msg::NodeId>& node_ids);

/// How to make the volume of this node; or, as an error, what it waits for.
core::Result<CloneRequest> plan_clone(const View& view, const StoreDriver& driver,
                                      const msg::Node& node);

/// The volume was made, or could not be. Nothing if that changes nothing.
std::optional<Plan> plan_clone_end(const View& view, const StoreDriver& driver,
                                   const msg::NodeId& node_id,
                                   const core::Result<msg::Volume>& made);

/// The volume's file was deleted.
Plan plan_removal_end(const View& view, const msg::NodeId& node_id);

}  // namespace nucleus::image_store
