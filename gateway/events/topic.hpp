// Splits an event's topic, PROJECT/CLUSTER/type. Pure.
#pragma once

#include <string>

namespace nucleus::gateway {

struct TopicParts {
  std::string project = "_";  // `_` = none
  std::string cluster = "_";
  std::string type = {};
};

inline TopicParts parts_of(const std::string& topic) {
  const auto first = topic.find('/');
  const auto second = first == std::string::npos ? first : topic.find('/', first + 1);
  if (second == std::string::npos) return {.type = topic};
  return {.project = topic.substr(0, first),
          .cluster = topic.substr(first + 1, second - first - 1),
          .type = topic.substr(second + 1)};
}

}  // namespace nucleus::gateway
