#pragma once

#include <vector>

#include "cpu/kernels/tap_product.h"
#include "cpu/onednn.h"

namespace dl::cpu {

/// A product over some of the filter's taps.
struct TapPart {
  TapGrid grid;
  std::vector<Tap> taps;
  std::vector<int64_t> filter_taps;  // index of each in the filter

  int64_t count() const { return static_cast<int64_t>(taps.size()); }
};

TapPart forward_tap_part(const LinearShape& shape);

/// dx in stride * stride parts: the pixels at the same place of each stride see the same taps, at dy's pixels side by side.
std::vector<TapPart> data_gradient_parts(const LinearShape& shape);

}  // namespace dl::cpu
