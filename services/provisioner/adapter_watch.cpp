#include "services/provisioner/adapter_watch.hpp"

#include "core/log/log.hpp"

namespace nucleus::provisioner {

namespace {

constexpr core::Milliseconds adapters_timeout{10'000};

}  // namespace

void AdapterWatch::look(core::Context&) {
  if (config_.adapter_functions.empty() || is_looking_) return;
  is_looking_ = true;
  workers_.run<FoundAdapters>(
      loop_, adapters_timeout,
      [sysfs = config_.sysfs, functions = config_.adapter_functions] {
        return core::Result<FoundAdapters>(find_adapters(sysfs, functions));
      },
      [this](core::Result<FoundAdapters> found) { take(std::move(found)); });
}

void AdapterWatch::take(core::Result<FoundAdapters> found) {
  is_looking_ = false;
  if (!found || *found == found_) return;
  if (!found->reason.empty() && found->reason != found_.reason)
    core::log::warning("adapters_not_offered", {{"reason", found->reason}});
  found_ = std::move(*found);
  metrics_.adapters.Set(static_cast<double>(found_.adapters.size()));
}

}  // namespace nucleus::provisioner
