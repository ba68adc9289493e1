// Parses JSON of requests: it is checked by a first scan, before values are built.
#include <set>
#include <vector>

#include "gateway/json/json.hpp"

namespace nucleus::gateway {

namespace {

constexpr std::size_t depth_max = 64;

/// Rejects deep nesting and duplicate keys; keeps the reason.
class Scan : public nlohmann::json_sax<Json> {
 public:
  std::string fault = {};

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return open(); }
  bool key(string_t& name) override {
    if (open_.back().insert(name).second) return true;
    fault = "the key " + msg::shown(name) + " is twice in one object";
    return false;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fault = "syntax error at byte " + std::to_string(position);
    return false;
  }

 private:
  bool open() {
    open_.emplace_back();
    if (open_.size() <= depth_max) return true;
    fault = "it is nested more than " + std::to_string(depth_max) + " deep";
    return false;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> open_ = {};  // keys of the open objects
};

}  // namespace

core::Result<Json> parse_object(const std::string& text) {
  Scan scan;
  if (!Json::sax_parse(text, &scan))
    return std::unexpected(msg::invalid("body", "The body must be a JSON object: " + scan.fault));
  auto json = Json::parse(text, nullptr, false);
  if (!json.is_object())
    return std::unexpected(msg::invalid("body", "The body must be a JSON object"));
  return json;
}

}  // namespace nucleus::gateway
