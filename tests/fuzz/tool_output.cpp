// Any bytes as what a measuring tool in a guest printed: the parsers return finite figures within
// their limits, and throw nothing.
#include "services/provisioner/driver/tool_output.hpp"

#include <cmath>
#include <cstdlib>

#include "tests/fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nucleus;
  if (size < 1) return 0;
  const auto format = static_cast<msg::OutputFormat>(data[0] % 8);
  const auto text = tests::text_of(data + 1, size - 1);
  const auto links = provisioner::parse_links(text, data[0] % (msg::ranks_max + 2));
  if (links && msg::check(*links)) std::abort();
  const auto parsed = provisioner::parse_output(format, text);
  if (!parsed) return 0;
  if (parsed->figures.size() > provisioner::tool_figures_max) std::abort();
  for (const auto& [name, value] : parsed->figures)
    if (!std::isfinite(value)) std::abort();
  for (const auto& tool : msg::tools) (void)provisioner::samples_of(tool, *parsed);
  return 0;
}
