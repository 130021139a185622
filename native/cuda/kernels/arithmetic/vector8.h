#pragma once

#include <cstdint>
#include <cstring>

#include "cuda/kernels/arithmetic/element.h"

namespace dl::cuda {

/// Neighbouring values that a thread handles at once: channels of one row, or values of a flat array.
constexpr int kVector = 8;

/// Eight values as they lie in memory: 16 bytes of Bfloat16, 32 bytes of float.
template <class T>
struct Vector8 {
  static constexpr int kWords = sizeof(T) * kVector / sizeof(uint32_t);
  uint32_t words[kWords];
};

DL_HOST_DEVICE float value_of(const Vector8<float>& vector, int i) { return std::bit_cast<float>(vector.words[i]); }
DL_HOST_DEVICE float value_of(const Vector8<Bfloat16>& vector, int i) {
  const uint32_t word = vector.words[i / 2];
  return std::bit_cast<float>(i % 2 == 0 ? word << 16 : word & 0xffff0000u);
}

template <class T>
DL_HOST_DEVICE void unpack(const Vector8<T>& vector, float (&values)[kVector]) {
  DL_UNROLL
  for (int i = 0; i < kVector; ++i) values[i] = value_of(vector, i);
}

DL_HOST_DEVICE void pack(const float (&values)[kVector], Vector8<float>& vector) {
  DL_UNROLL
  for (int i = 0; i < kVector; ++i) vector.words[i] = std::bit_cast<uint32_t>(values[i]);
}
DL_HOST_DEVICE void pack(const float (&values)[kVector], Vector8<Bfloat16>& vector) {
  DL_UNROLL
  for (int i = 0; i < kVector / 2; ++i) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(vector.words[i]) : "f"(values[2 * i + 1]), "f"(values[2 * i]));
#else
    Bfloat16 low, high;
    store(low, values[2 * i]);
    store(high, values[2 * i + 1]);
    vector.words[i] = low.bits | static_cast<uint32_t>(high.bits) << 16;
#endif
  }
}

/// kKeep: the caches decide. kLast: nobody reads the data again soon, so that others stay in the cache.
enum class Use { kKeep, kLast };

/// Where the values lie. kWhole: eight, 16-byte aligned. Else `count` of them, at any address; the others read as 0 and are not
/// written. By intrinsics, as the compiler splits plain accesses of 16 bytes in some loops.
template <bool kWhole, Use kUse = Use::kKeep, class T>
DL_HOST_DEVICE Vector8<T> load8(const T* from, int count) {
  Vector8<T> vector;
  if constexpr (kWhole) {
    DL_UNROLL
    for (int w = 0; w < Vector8<T>::kWords; w += 4) {
#if defined(__CUDA_ARCH__)
      const uint4* address = reinterpret_cast<const uint4*>(from) + w / 4;
      const uint4 words = kUse == Use::kLast ? __ldcs(address) : __ldca(address);
      vector.words[w] = words.x, vector.words[w + 1] = words.y, vector.words[w + 2] = words.z, vector.words[w + 3] = words.w;
#else
      std::memcpy(vector.words + w, reinterpret_cast<const unsigned char*>(from) + w * 4, 16);
#endif
    }
  } else {
    float values[kVector];
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = i < count ? load(from[i]) : 0.0f;
    pack(values, vector);
  }
  return vector;
}

/// As they are, 16-byte aligned.
template <Use kUse = Use::kKeep, class T>
DL_HOST_DEVICE void store8(T* to, const Vector8<T>& vector) {
  DL_UNROLL
  for (int w = 0; w < Vector8<T>::kWords; w += 4) {
#if defined(__CUDA_ARCH__)
    uint4* address = reinterpret_cast<uint4*>(to) + w / 4;
    const uint4 words{vector.words[w], vector.words[w + 1], vector.words[w + 2], vector.words[w + 3]};
    kUse == Use::kLast ? __stcs(address, words) : __stwb(address, words);
#else
    std::memcpy(reinterpret_cast<unsigned char*>(to) + w * 4, vector.words + w, 16);
#endif
  }
}

template <bool kWhole, Use kUse = Use::kKeep, class T>
DL_HOST_DEVICE void store8(T* to, int count, const float (&values)[kVector]) {
  if constexpr (kWhole) {
    Vector8<T> vector;
    pack(values, vector);
    store8<kUse>(to, vector);
  } else {
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) {
      if (i < count) store(to[i], values[i]);
    }
  }
}

/// Eight bytes that belong to eight values; 8-byte aligned where kWhole.
template <bool kWhole>
DL_HOST_DEVICE void load_bytes(const uint8_t* from, int count, uint8_t (&bytes)[kVector]) {
  if constexpr (kWhole) {
    const uint64_t word = *reinterpret_cast<const uint64_t*>(from);
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) bytes[i] = static_cast<uint8_t>(word >> (8 * i));
  } else {
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) bytes[i] = i < count ? from[i] : uint8_t{0};
  }
}

template <bool kWhole>
DL_HOST_DEVICE void store_bytes(uint8_t* to, int count, const uint8_t (&bytes)[kVector]) {
  if constexpr (kWhole) {
    uint64_t word = 0;
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) word |= static_cast<uint64_t>(bytes[i]) << (8 * i);
    *reinterpret_cast<uint64_t*>(to) = word;
  } else {
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) {
      if (i < count) to[i] = bytes[i];
    }
  }
}

}  // namespace dl::cuda
