#include "operator/caller.hpp"

#include <unistd.h>

namespace nucleus::op {

Caller::Caller(const StateDirectory& state)
    : link_{loop_,
            {.name = "nucleus-" + std::to_string(getpid()),
             .requests_url = state.requests_url(),
             .events_url = state.events_url()}},
      bus_{loop_, link_, nullptr} {
  bus_.start();
  thread_ = std::jthread([this] { loop_.run(); });
}

Caller::~Caller() {
  loop_.stop();
  thread_.join();
}

}  // namespace nucleus::op
