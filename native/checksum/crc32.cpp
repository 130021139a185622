#include "checksum/crc32.h"

#include <bit>
#include <cstring>
#include <vector>

#include "checksum/polynomial.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace dl::checksum {
namespace {

constexpr SlicingTables kTables = slicing_tables();

uint32_t advance(uint32_t state, const std::byte* source, size_t count) {
  static_assert(std::endian::native == std::endian::little);
  for (; count >= 8; source += 8, count -= 8) {
    uint64_t eight;
    std::memcpy(&eight, source, sizeof eight);
    eight ^= state;
    state = 0;
    for (size_t i = 0; i < 8; ++i) state ^= kTables[7 - i][(eight >> (8 * i)) & 0xff];
  }
  for (; count > 0; ++source, --count) state = (state >> 8) ^ kTables[0][(state ^ static_cast<uint32_t>(*source)) & 0xff];
  return state;
}

/// Where a kernel leaves the bytes that it has read.
class Copied {
 public:
  explicit Copied(std::byte* target) : target_(target) {}

  void keep(size_t offset, const std::byte* source, size_t count) const { std::memcpy(target_ + offset, source, count); }
#if defined(__x86_64__)
  [[gnu::target("pclmul")]] void keep(size_t offset, __m128i bytes) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target_ + offset), bytes);
  }
  [[gnu::target("avx512f,vpclmulqdq")]] void keep(size_t offset, __m512i bytes) const {
    _mm512_storeu_si512(target_ + offset, bytes);
  }
#endif
  [[nodiscard]] Copied from(size_t offset) const { return Copied(target_ + offset); }

 private:
  std::byte* target_;
};

class NotCopied {
 public:
  void keep(size_t, const std::byte*, size_t) const {}
#if defined(__x86_64__)
  [[gnu::target("pclmul")]] void keep(size_t, __m128i) const {}
  [[gnu::target("avx512f,vpclmulqdq")]] void keep(size_t, __m512i) const {}
#endif
  [[nodiscard]] NotCopied from(size_t) const { return {}; }
};

template <class Target>
uint32_t by_tables(Target target, const std::byte* source, size_t count, uint32_t state) {
  // While the bytes are in the nearest cache.
  constexpr size_t kBlock = 4096;
  size_t done = 0;
  for (; count - done > kBlock; done += kBlock) {
    target.keep(done, source + done, kBlock);
    state = advance(state, source + done, kBlock);
  }
  if (count > done) target.keep(done, source + done, count - done);
  return advance(state, source + done, count - done);
}

#if defined(__x86_64__)

// Folding: a register stands for all bytes before it as well, moved on to the bytes that come next and added to them. What is
// left at the end has the checksum of everything, from the state 0 on.

[[gnu::target("pclmul")]] __m128i constants128(FoldConstants constants) {
  return _mm_set_epi64x(static_cast<int64_t>(constants.last), static_cast<int64_t>(constants.first));
}

[[gnu::target("pclmul")]] __m128i fold128(__m128i before, __m128i constants, __m128i next) {
  const __m128i first = _mm_clmulepi64_si128(before, constants, 0x00), last = _mm_clmulepi64_si128(before, constants, 0x11);
  return _mm_xor_si128(_mm_xor_si128(first, last), next);
}

template <class Target>
[[gnu::target("pclmul")]] __m128i take128(Target target, const std::byte* source, size_t offset) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + offset));
  target.keep(offset, bytes);
  return bytes;
}

template <class Target>
[[gnu::target("pclmul")]] uint32_t by_pclmul(Target target, const std::byte* source, size_t count, uint32_t state) {
  constexpr size_t kRegister = 16, kBlock = 4 * kRegister;
  if (count < kBlock) return by_tables(target, source, count, state);
  __m128i sums[4];
  for (size_t i = 0; i < 4; ++i) sums[i] = take128(target, source, i * kRegister);
  sums[0] = _mm_xor_si128(sums[0], _mm_cvtsi32_si128(static_cast<int>(state)));
  const __m128i by_block = constants128(fold_by(8 * kBlock)), by_register = constants128(fold_by(8 * kRegister));
  size_t done = kBlock;
  for (; count - done >= kBlock; done += kBlock) {
    for (size_t i = 0; i < 4; ++i) sums[i] = fold128(sums[i], by_block, take128(target, source, done + i * kRegister));
  }
  for (size_t i = 1; i < 4; ++i) sums[i] = fold128(sums[i - 1], by_register, sums[i]);
  std::byte left[kRegister];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(left), sums[3]);
  return by_tables(target.from(done), source + done, count - done, advance(0, left, sizeof left));
}

[[gnu::target("avx512f,vpclmulqdq")]] __m512i constants512(FoldConstants constants) {
  const auto first = static_cast<int64_t>(constants.first), last = static_cast<int64_t>(constants.last);
  return _mm512_set_epi64(last, first, last, first, last, first, last, first);
}

[[gnu::target("avx512f,vpclmulqdq")]] __m512i fold512(__m512i before, __m512i constants, __m512i next) {
  const __m512i first = _mm512_clmulepi64_epi128(before, constants, 0x00),
                last = _mm512_clmulepi64_epi128(before, constants, 0x11);
  return _mm512_xor_si512(_mm512_xor_si512(first, last), next);
}

template <class Target>
[[gnu::target("avx512f,vpclmulqdq")]] __m512i take512(Target target, const std::byte* source, size_t offset) {
  const __m512i bytes = _mm512_loadu_si512(source + offset);
  target.keep(offset, bytes);
  return bytes;
}

template <class Target>
[[gnu::target("avx512f,vpclmulqdq")]] uint32_t by_vpclmul(Target target, const std::byte* source, size_t count, uint32_t state) {
  constexpr size_t kRegister = 64, kBlock = 4 * kRegister;
  if (count < kBlock) return by_pclmul(target, source, count, state);
  __m512i sums[4];
  for (size_t i = 0; i < 4; ++i) sums[i] = take512(target, source, i * kRegister);
  sums[0] = _mm512_xor_si512(sums[0], _mm512_maskz_set1_epi32(1, static_cast<int>(state)));
  const __m512i by_block = constants512(fold_by(8 * kBlock)), by_register = constants512(fold_by(8 * kRegister));
  size_t done = kBlock;
  for (; count - done >= kBlock; done += kBlock) {
    for (size_t i = 0; i < 4; ++i) sums[i] = fold512(sums[i], by_block, take512(target, source, done + i * kRegister));
  }
  for (size_t i = 1; i < 4; ++i) sums[i] = fold512(sums[i - 1], by_register, sums[i]);
  std::byte left[kRegister];
  _mm512_storeu_si512(left, sums[3]);
  return by_pclmul(target.from(done), source + done, count - done, advance(0, left, sizeof left));
}

#endif

template <auto kCopy>
uint32_t copying(std::byte* target, const std::byte* source, size_t count, uint32_t state) {
  return kCopy(Copied(target), source, count, state);
}

template <auto kSum>
uint32_t summing(const std::byte* source, size_t count, uint32_t state) {
  return kSum(NotCopied(), source, count, state);
}

std::vector<Kernel> usable_kernels() {
  std::vector<Kernel> usable;
#if defined(__x86_64__)
  const bool pclmul = __builtin_cpu_supports("pclmul");
  if (pclmul && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq"))
    usable.push_back({"vpclmulqdq", copying<by_vpclmul<Copied>>, summing<by_vpclmul<NotCopied>>});
  if (pclmul) usable.push_back({"pclmulqdq", copying<by_pclmul<Copied>>, summing<by_pclmul<NotCopied>>});
#endif
  usable.push_back({"tables", copying<by_tables<Copied>>, summing<by_tables<NotCopied>>});
  return usable;
}

}  // namespace

std::span<const Kernel> kernels() {
  static const std::vector<Kernel> usable = usable_kernels();
  return usable;
}

uint32_t copy_crc32(std::byte* target, std::span<const std::byte> source, uint32_t checksum) {
  static const auto copy = kernels().front().copy;
  return ~copy(target, source.data(), source.size(), ~checksum);
}

uint32_t crc32(std::span<const std::byte> bytes, uint32_t checksum) {
  static const auto sum = kernels().front().sum;
  return ~sum(bytes.data(), bytes.size(), ~checksum);
}

}  // namespace dl::checksum
