// Images as bytes: a valid qcow2 image and ISO, and qcow2 images with hostile headers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nucleus::tests {

/// Writes a big-endian number, as in qcow2.
inline void put_number(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    bytes[at + i] = static_cast<char>(value >> (8 * (count - 1 - i)));
}

/// The first 64 KiB of an empty qcow2 image of 1 GiB, version 3.
inline std::string a_qcow2_header() {
  std::string head(64 * 1024, '\0');
  head.replace(0, 4, "QFI\xfb");
  put_number(head, 4, 3, 4);
  put_number(head, 20, 16, 4);          // cluster bits
  put_number(head, 24, 1ULL << 30, 8);  // virtual size
  put_number(head, 36, 2, 4);           // L1 entries
  put_number(head, 40, 0x30000, 8);     // L1 table
  put_number(head, 48, 0x10000, 8);     // refcount table
  put_number(head, 56, 1, 4);           // refcount table clusters
  put_number(head, 96, 4, 4);           // refcount order
  put_number(head, 100, 104, 4);        // header length
  return head;
}

/// An ISO 9660 image of 64 KiB: an empty primary volume descriptor, and the end of the descriptors.
inline std::string an_iso() {
  std::string iso(64 * 1024, '\0');
  iso.replace(16 * 2048, 7,
              std::string_view("\x01"
                               "CD001\x01"));
  iso.replace(17 * 2048, 7,
              std::string_view("\xff"
                               "CD001\x01"));
  return iso;
}

/// Images that must not reach qemu-img, each with a description; files of 1 MiB.
inline std::vector<std::pair<std::string, std::string>> hostile_qcow2_images() {
  std::vector<std::pair<std::string, std::string>> all;
  const auto alter = [&](const char* what, std::size_t at, std::uint64_t value, std::size_t count) {
    auto image = a_qcow2_header();
    image.resize(1 << 20);
    put_number(image, at, value, count);
    all.emplace_back(what, std::move(image));
  };
  for (const char* name :
       {"/etc/passwd", "../../etc/passwd", "json:{\"driver\":\"nbd\"}", "nbd://169.254.169.254/"}) {
    auto image = a_qcow2_header();
    const std::string_view backing{name};
    put_number(image, 8, 0x200, 8);
    put_number(image, 16, backing.size(), 4);
    image.replace(0x200, backing.size(), backing);
    image.resize(1 << 20);
    all.emplace_back("a backing file " + std::string(name), std::move(image));
  }
  alter("an external data file", 72, 4, 8);
  alter("LUKS", 32, 2, 4);
  alter("AES", 32, 1, 4);
  alter("an unknown feature", 72, 1ULL << 20, 8);
  alter("a virtual size of 1 PB", 24, 1ULL << 50, 8);
  alter("a virtual size of 2^63", 24, 1ULL << 63, 8);
  alter("a virtual size below 0", 24, ~0ULL, 8);
  alter("an L1 table of 32 MB", 36, 4 << 20, 4);
  alter("an L1 table beyond the end", 40, 1ULL << 40, 8);
  alter("a refcount table beyond the end", 48, 1ULL << 40, 8);
  alter("too many snapshots", 60, 0xffffffff, 4);
  alter("clusters of size 0", 20, 0, 4);
  alter("version 1", 4, 1, 4);
  alter("an L1 table too small for the disk", 36, 1, 4);
  alter("compression of an unknown type", 104, 1, 1);
  alter("a header of odd length", 100, 107, 4);
  alter("a data file's name", 104, 0x44415441, 4);
  alter("a backing file's format", 104, 0xe2792aca, 4);
  alter("a LUKS extension", 104, 0x0537be77, 4);
  alter("an extension without end", 104, 0x12345678'ffffffff, 8);
  all.emplace_back("a VMDK descriptor",
                   "# Disk DescriptorFile\nversion=1\nRW 20480 FLAT \"/etc/shadow\" 0\n");
  all.emplace_back("a truncated header", a_qcow2_header().substr(0, 80));
  all.emplace_back("nothing", "");
  return all;
}

}  // namespace nucleus::tests
