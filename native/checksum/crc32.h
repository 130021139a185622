#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dl::checksum {

/// Copies `source` to `target`, in one pass with its CRC-32: that of zlib, gzip and PNG (polynomial 0x04C11DB7, reflected,
/// inverted before and after). The two do not overlap.
///
/// Returns the CRC-32 of the bytes that `checksum` stands for, followed by these; that of no bytes is 0.
uint32_t copy_crc32(std::byte* target, std::span<const std::byte> source, uint32_t checksum);

/// The same without the copy.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t checksum);

/// One way to do it: `state` is a CRC-32 before the inversion, as is what it returns.
struct Kernel {
  const char* name;
  uint32_t (*copy)(std::byte* target, const std::byte* source, size_t count, uint32_t state);
  uint32_t (*sum)(const std::byte* source, size_t count, uint32_t state);
};

/// Those that this processor can run, the fastest first. The last one needs no instructions of its own.
std::span<const Kernel> kernels();

}  // namespace dl::checksum
