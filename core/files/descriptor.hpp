// A file descriptor that is closed with its owner.
#pragma once

#include <unistd.h>

namespace nucleus::core {

class Descriptor {
 public:
  /// Takes what open() or socket() returned: a negative number is none.
  explicit Descriptor(int number) : number_{number} {}
  ~Descriptor() {
    if (is_open()) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

}  // namespace nucleus::core
