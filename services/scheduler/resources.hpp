// What a node needs and a host has, as a vector: a new resource is one more field here.
#pragma once

#include <algorithm>
#include <cstdint>

#include "messages/fields.hpp"

namespace nucleus::scheduler {

struct Resources {
  std::int64_t cpus = 0;
  std::int64_t memory_mb = 0;
  std::int64_t adapters = 0;  // InfiniBand: of each fabric that the node needs
  NUCLEUS_FIELDS(cpus, memory_mb, adapters);

  friend bool operator==(const Resources&, const Resources&) = default;
};

namespace detail {

/// Applies `combine` to each pair of amounts.
template <class Combine>
inline Resources combined(const Resources& left, const Resources& right, Combine combine) {
  Resources result;
  left.with_fields([&](const auto&... of_left) {
    right.with_fields(
        [&](const auto&... of_right) { result = Resources{combine(of_left, of_right)...}; });
  });
  return result;
}

}  // namespace detail

inline Resources operator+(const Resources& left, const Resources& right) {
  return detail::combined(left, right, [](auto a, auto b) { return a + b; });
}

inline Resources operator-(const Resources& left, const Resources& right) {
  return detail::combined(left, right, [](auto a, auto b) { return a - b; });
}

inline Resources& operator+=(Resources& left, const Resources& right) {
  return left = left + right;
}

inline Resources& operator-=(Resources& left, const Resources& right) {
  return left = left - right;
}

inline Resources at_least_zero(const Resources& amounts) {
  return detail::combined(amounts, {}, [](auto a, auto zero) { return std::max(a, zero); });
}

/// Of each resource the smaller amount.
inline Resources lesser(const Resources& left, const Resources& right) {
  return detail::combined(left, right, [](auto a, auto b) { return std::min(a, b); });
}

/// True if `free` has enough of every resource.
inline bool fits(const Resources& need, const Resources& free) {
  bool is_enough = true;
  need.with_fields([&](const auto&... needed) {
    free.with_fields([&](const auto&... available) { is_enough = ((needed <= available) && ...); });
  });
  return is_enough;
}

/// How many times `need` fits into `free`, at most `most`.
inline std::int64_t times_fitting(const Resources& need, const Resources& free, std::int64_t most) {
  std::int64_t times = most;
  need.with_fields([&](const auto&... needed) {
    free.with_fields([&](const auto&... available) {
      const auto limit = [&times](std::int64_t of_need, std::int64_t of_free) {
        if (of_need > 0) times = std::min(times, of_free < 0 ? 0 : of_free / of_need);
      };
      (limit(needed, available), ...);
    });
  });
  return times;
}

}  // namespace nucleus::scheduler
