// Decodes malformed bytes: truncated, flipped, extended, spliced, or with values of the wrong
// types. Decoding must return a message or throw DecodeError, which the bus answers with
// invalid_argument; it must not crash or use more memory than one message may.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <msgpack.hpp>
#include <random>

#include "tests/contract/messages/every_message.hpp"

namespace nucleus::tests {
namespace {

using Packer = msgpack::packer<msgpack::sbuffer>;

constexpr int byte_mutations = 400;  // of each struct
constexpr int structural_mutations = 200;
// The limit for one hostile message. AddressSanitizer keeps up to 256 MiB of freed memory in its
// quarantine (quarantine_size_mb).
#ifdef __SANITIZE_ADDRESS__
constexpr long memory_kib_max = (64 + 256) * 1024;
#else
constexpr long memory_kib_max = 64 * 1024;
#endif

/// A factor for the number of mutations, set by the environment variable NUCLEUS_MUTATIONS.
int times() {
  const char* factor = std::getenv("NUCLEUS_MUTATIONS");
  return factor ? std::atoi(factor) : 1;
}

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

class Bytes {
 public:
  explicit Bytes(std::uint64_t seed) : random_{seed} {}

  std::size_t pick(std::size_t most) {
    return std::uniform_int_distribution<std::size_t>{0, most}(random_);
  }

  std::string mutated(std::string bytes) {
    for (std::size_t i = 0, count = 1 + pick(3); i < count; ++i) mutate(bytes);
    return bytes;
  }

  /// A random value, nested up to `depth`.
  void pack_any(Packer& packer, std::size_t depth) {
    switch (pick(depth == 0 ? 9 : 11)) {
      case 0:
        packer.pack_nil();
        return;
      case 1:
        packer.pack(pick(1) == 1);
        return;
      case 2:
        packer.pack(static_cast<std::uint64_t>(random_()));
        return;
      case 3:
        packer.pack(static_cast<std::int64_t>(random_()));
        return;
      case 4:
        packer.pack(static_cast<double>(random_()) / 3);
        return;
      case 5:
        packer.pack(std::numeric_limits<double>::quiet_NaN());
        return;
      case 6:
        packer.pack(std::string(pick(300), static_cast<char>(pick(255))));
        return;
      case 7: {
        const std::string bin(pick(300), '\xff');
        packer.pack_bin(static_cast<std::uint32_t>(bin.size()));
        packer.pack_bin_body(bin.data(), static_cast<std::uint32_t>(bin.size()));
        return;
      }
      case 8: {
        const std::string ext(pick(20), 'e');
        packer.pack_ext(ext.size(), static_cast<std::int8_t>(pick(255)));
        packer.pack_ext_body(ext.data(), static_cast<std::uint32_t>(ext.size()));
        return;
      }
      case 9:
        packer.pack(std::string("unknown"));
        return;
      case 10: {
        const auto count = static_cast<std::uint32_t>(pick(20));
        packer.pack_array(count);
        for (std::uint32_t i = 0; i < count; ++i) pack_any(packer, depth - 1);
        return;
      }
      default: {
        const auto count = static_cast<std::uint32_t>(pick(20));
        packer.pack_map(count);
        for (std::uint32_t i = 0; i < count; ++i) {
          packer.pack(std::string("k") + std::to_string(pick(5)));
          pack_any(packer, depth - 1);
        }
      }
    }
  }

  /// A copy of the object with some values replaced, repeated or missing.
  void pack_altered(Packer& packer, const msgpack::object& object) {
    if (pick(9) == 0) return pack_any(packer, 3);
    if (object.type == msgpack::type::ARRAY) {
      const std::size_t copies = pick(4);
      packer.pack_array(static_cast<std::uint32_t>(copies * object.via.array.size));
      for (std::size_t copy = 0; copy < copies; ++copy)
        for (std::uint32_t i = 0; i < object.via.array.size; ++i)
          pack_altered(packer, object.via.array.ptr[i]);
      return;
    }
    if (object.type != msgpack::type::MAP) {
      packer.pack(object);
      return;
    }
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t i = 0; i < object.via.map.size; ++i)
      for (std::size_t copy = 0, copies = pick(5) == 0 ? pick(2) : 1; copy < copies; ++copy)
        chosen.push_back(i);
    packer.pack_map(static_cast<std::uint32_t>(chosen.size()));
    for (const auto i : chosen) {
      packer.pack(object.via.map.ptr[i].key);
      pack_altered(packer, object.via.map.ptr[i].val);
    }
  }

 private:
  void mutate(std::string& bytes) {
    const std::size_t at = pick(bytes.size());
    switch (pick(6)) {
      case 0:
        bytes.resize(at);
        return;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << pick(7)));
        return;
      case 2:
        if (at < bytes.size()) bytes[at] = static_cast<char>(pick(255));
        return;
      case 3:
        bytes.insert(at, std::string(1 + pick(8), static_cast<char>(pick(255))));
        return;
      case 4:
        bytes.erase(at, 1 + pick(8));
        return;
      case 5:
        bytes.insert(at, bytes.substr(pick(bytes.size()), pick(64)));
        return;
      default: {
        // A false length: array32, map32, str32, bin32 or ext32.
        constexpr char heads[] = {'\xdd', '\xdf', '\xdb', '\xc6', '\xc9'};
        std::string lie(1, heads[pick(4)]);
        for (int i = 0; i < 4; ++i) lie += static_cast<char>(pick(255));
        bytes.insert(at, lie);
      }
    }
  }

  std::mt19937_64 random_;
};

/// True if the bytes decode, false if they are refused. Anything else fails the test.
template <class T>
bool is_decoded(const std::string& bytes) {
  try {
    const T value = msg::decode<T>(bytes);
    // A decoded message can be encoded and decoded again.
    const auto again = msg::encode(value);
    if (again.size() <= msg::body_bytes_max) (void)msg::decode<T>(again);
    return true;
  } catch (const msg::DecodeError& error) {
    EXPECT_FALSE(std::string_view(error.what()).empty());
    return false;
  }
}

TEST(MutatedBytes, DecodeOrAreRefused) {
  const long before_kib = peak_kib();
  std::uint64_t refused = 0;
  for_every_struct([&]<class T>(const std::string& file, const std::string&) {
    Bytes bytes(std::hash<std::string>{}(file));
    const std::string valid = msg::encode(filled<T>());
    ASSERT_TRUE(is_decoded<T>(valid)) << file;
    for (int i = 0; i < byte_mutations * times(); ++i)
      refused += !is_decoded<T>(bytes.mutated(valid));
  });
  EXPECT_GT(refused, 1000U);
  EXPECT_LT(peak_kib() - before_kib, memory_kib_max);
}

TEST(MutatedBytes, WithValuesOfWrongTypesDecodeOrAreRefused) {
  const long before_kib = peak_kib();
  std::uint64_t refused = 0;
  std::uint64_t decoded_count = 0;
  for_every_struct([&]<class T>(const std::string& file, const std::string&) {
    Bytes bytes(std::hash<std::string>{}(file) + 1);
    const std::string valid = msg::encode(filled<T>());
    const auto object = msgpack::unpack(valid.data(), valid.size());
    for (int i = 0; i < structural_mutations * times(); ++i) {
      msgpack::sbuffer buffer;
      Packer packer(buffer);
      bytes.pack_altered(packer, object.get());
      (is_decoded<T>({buffer.data(), buffer.size()}) ? decoded_count : refused) += 1;
    }
  });
  EXPECT_GT(refused, 1000U);
  EXPECT_GT(decoded_count, 100U);
  EXPECT_LT(peak_kib() - before_kib, memory_kib_max);
}

std::string repeated(const std::string& one, std::size_t count) {
  std::string all;
  all.reserve(one.size() * count);
  for (std::size_t i = 0; i < count; ++i) all += one;
  return all;
}

/// Well-known attacks.
TEST(MutatedBytes, OfKnownAttacksAreRefusedBeforeAllocation) {
  const std::string whole_list("\x81\xa6grants\xdd\x00\x01\x00\x00", 13);
  const std::string hostile[] = {
      std::string("\xdd\xff\x00\x00\x00", 5),                 // a list of 4 billion
      std::string("\xdf\xff\xff\xff\xff", 5),                 // a map of 4 billion
      std::string("\x81\xa6grants\xdd\xff\x00\x00\x00", 13),  // the same in a known field
      repeated("\x91", 100'000),                              // lists in lists
      repeated(std::string("\xdc\xff\xff", 3), 24'000),       // wide lists in lists
      repeated("\x81\xa1\x61", 100'000),                      // maps in maps
      std::string("\xdb\xff\xff\xff\xff", 5) + "abc",         // a missing text
      std::string("\xc6\x7f\xff\xff\xff", 5) + "abc",         // missing bytes
      std::string("\xc9\x7f\xff\xff\xff\x05", 6) + "abc",     // a missing ext
      whole_list + repeated("\x80", 65'536),                  // a list of empty things
      std::string("\x80", 1) + std::string(100, '\0'),        // bytes after the end
      std::string(2 << 20, '\x80'),                           // over 1 MiB
      "",
  };
  const long before_kib = peak_kib();
  for (const auto& bytes : hostile) {
    try {
      (void)msg::decode<msg::ApplyGrants>(bytes);
      ADD_FAILURE() << "decoded: " << bytes.size() << " bytes, the first "
                    << static_cast<int>(static_cast<unsigned char>(bytes.empty() ? 0 : bytes[0]));
    } catch (const msg::DecodeError&) {
    }
  }
  EXPECT_LT(peak_kib() - before_kib, memory_kib_max);
}

}  // namespace
}  // namespace nucleus::tests
