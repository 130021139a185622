// CRC-32, alone and in one pass with a copy, beside zlib's: each kernel that this processor runs, at every alignment and length
// around its blocks.
#include <doctest/doctest.h>
#include <zlib.h>

#include <cstring>
#include <span>
#include <vector>

#include "checksum/crc32.h"

namespace dl::test {
namespace {

constexpr size_t kLargest = 3000;
constexpr std::byte kUntouched{0xa5};

std::vector<std::byte> random_bytes(size_t count) {
  std::vector<std::byte> bytes(count);
  uint32_t state = 1;
  for (std::byte& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

uint32_t by_zlib(const std::byte* bytes, size_t count, uint32_t checksum = 0) {
  return static_cast<uint32_t>(crc32(checksum, reinterpret_cast<const Bytef*>(bytes), static_cast<uInt>(count)));
}

/// Whether a kernel copies and sums up this many bytes and touches nothing else, and sums up the same without a copy.
bool agrees(const checksum::Kernel& kernel, const std::byte* source, size_t count, size_t misalignment, uint32_t before) {
  std::vector<std::byte> target(misalignment + count + 64, kUntouched);
  const uint32_t sum = ~kernel.copy(target.data() + misalignment, source, count, ~before);
  std::vector<std::byte> wanted(target.size(), kUntouched);
  if (count > 0) std::memcpy(wanted.data() + misalignment, source, count);
  const uint32_t zlibs = by_zlib(source, count, before);
  return sum == zlibs && target == wanted && ~kernel.sum(source, count, ~before) == zlibs;
}

}  // namespace

TEST_CASE("a copy's CRC-32 is zlib's: every length") {
  const std::vector<std::byte> bytes = random_bytes(kLargest);
  for (const checksum::Kernel& kernel : checksum::kernels()) {
    CAPTURE(kernel.name);
    for (size_t count = 0; count <= kLargest; ++count) {
      CAPTURE(count);
      REQUIRE(agrees(kernel, bytes.data(), count, 0, 0));
      REQUIRE(agrees(kernel, bytes.data(), count, 0, 0xdeadbeef));
    }
  }
}

TEST_CASE("a copy's CRC-32 is zlib's: every alignment of source and target") {
  const std::vector<std::byte> bytes = random_bytes(kLargest);
  for (const checksum::Kernel& kernel : checksum::kernels()) {
    CAPTURE(kernel.name);
    for (size_t from = 0; from < 64; ++from) {
      CAPTURE(from);
      for (size_t to = 0; to < 64; to += 3) REQUIRE(agrees(kernel, bytes.data() + from, 1100 + from, to, 7));
    }
  }
}

TEST_CASE("a copy's CRC-32 goes on from piece to piece") {
  const std::vector<std::byte> bytes = random_bytes(kLargest);
  const uint32_t whole = by_zlib(bytes.data(), bytes.size());
  for (size_t cut = 0; cut <= bytes.size(); cut += 13) {
    std::vector<std::byte> target(bytes.size());
    const std::span<const std::byte> all(bytes);
    const uint32_t first = checksum::copy_crc32(target.data(), all.first(cut), 0);
    REQUIRE(checksum::copy_crc32(target.data() + cut, all.subspan(cut), first) == whole);
    REQUIRE(checksum::crc32(all.subspan(cut), checksum::crc32(all.first(cut), 0)) == whole);
    REQUIRE(target == bytes);
  }
}

TEST_CASE("a copy's CRC-32 over more bytes than the caches hold") {
  const std::vector<std::byte> bytes = random_bytes((size_t{8} << 20) + 5);
  for (const checksum::Kernel& kernel : checksum::kernels()) {
    CAPTURE(kernel.name);
    CHECK(agrees(kernel, bytes.data(), bytes.size(), 1, 0));
  }
}

}  // namespace dl::test
