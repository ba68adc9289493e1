// What the commands that add images have in common: the name of a new image, and the wait until the
// server has published it.
#pragma once

#include <string>

#include "client/api/api.hpp"

namespace nucleus::client {

/// PROJECT/NAME: a name without a project is of the caller's first one.
core::Result<std::string> new_image_id(const Api& api, const std::string& name);

/// The path of PROJECT/NAME in the API.
std::string path_of_image(const std::string& image_id);

/// Why an upload or an import of this image was not begun.
core::Error refused_image(core::Error error, const std::string& image_id);

/// Shows the progress on a terminal, until the upload is published. An error if it failed.
core::Result<int> wait_until_published(const Api& api, const std::string& image_id,
                                       const std::string& upload_id);

}  // namespace nucleus::client
