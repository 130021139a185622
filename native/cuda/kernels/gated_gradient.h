#pragma once

#include <type_traits>

#include "cuda/kernels/arithmetic/gate.h"
#include "cuda/kernels/arithmetic/per_channel.h"
#include "cuda/kernels/arithmetic/row_tiling.h"

namespace dl::cuda {

/// dz = dy (+ dy2) where the activation let the value pass, else 0: how both halves of a batch norm's backward pass begin.
template <class T, bool kWhole, Gate kGate>
struct GatedGradient {
  const T* dy;
  const T* dy2;  // or null
  const uint8_t* mask;
  const float* scale;  // of the forward pass
  const float* shift;
  Bounds bound;

  /// What a thread needs of its channels.
  struct Channels {
    float scale[kVector], shift[kVector];
  };
  /// A thread's share of a row.
  struct Row {
    Vector8<T> dy, dy2;
    uint8_t mask;
  };

  DL_HOST_DEVICE void load_channels_of(const TileThread& thread, Channels& channels) const {
    if constexpr (kGate == Gate::kRecompute) {
      load_channels<kWhole>(scale, thread.channel, thread.count, 0, channels.scale);
      load_channels<kWhole>(shift, thread.channel, thread.count, 0, channels.shift);
    }
  }

  /// The row-th of the thread's rows.
  template <Use kUse>
  DL_HOST_DEVICE Row load(const TileThread& thread, int64_t row) const {
    const int64_t at = thread.first + row * thread.step;
    Row loaded{};
    loaded.dy = load8<kWhole, kUse>(dy + at, thread.count);
    if (dy2 != nullptr) loaded.dy2 = load8<kWhole, kUse>(dy2 + at, thread.count);
    if constexpr (kGate == Gate::kMask) {
      loaded.mask = mask[thread.first_mask + row * thread.mask_step];
    }
    return loaded;
  }

  /// `x` is the forward pass's, read only where the gate is computed anew.
  DL_HOST_DEVICE void gate(const Row& row, const Vector8<T>& x, const Channels& channels, float (&dz)[kVector]) const {
    DL_UNROLL
    for (int c = 0; c < kVector; ++c) {
      dz[c] = value_of(row.dy, c);
      if (dy2 != nullptr) dz[c] += value_of(row.dy2, c);
      if constexpr (kGate == Gate::kRecompute) {
        dz[c] = bound.pass(normalize(value_of(x, c), channels.scale[c], channels.shift[c])) ? dz[c] : 0.0f;
      }
      if constexpr (kGate == Gate::kMask) dz[c] = row.mask >> c & 1 ? dz[c] : 0.0f;
    }
  }
};

/// Calls f(std::integral_constant<Gate, ...>) with the gate as a constant.
template <class F>
auto with_gate(const Activation& activation, const uint8_t* mask, const F& f) {
  if (!activation.present) return f(std::integral_constant<Gate, Gate::kOpen>());
  if (mask == nullptr) return f(std::integral_constant<Gate, Gate::kRecompute>());
  return f(std::integral_constant<Gate, Gate::kMask>());
}

}  // namespace dl::cuda
