#include "cpu/operations/tap_parts.h"

#include <utility>

namespace dl::cpu {
namespace {

/// Outputs first, first + stride, ... along an axis of `size`.
int64_t count_from(int64_t size, int64_t first, int64_t stride) {
  return first < size ? (size - first + stride - 1) / stride : 0;
}

}  // namespace

TapPart forward_tap_part(const LinearShape& shape) {
  TapPart part{.grid = {.in = shape.in,
                        .out = shape.out,
                        .height = shape.out.height,
                        .width = shape.out.width,
                        .in_step_y = shape.stride[0],
                        .in_step_x = shape.stride[1],
                        .out_step_y = 1,
                        .out_step_x = 1,
                        .out_first_y = 0,
                        .out_first_x = 0},
               .taps = {},
               .filter_taps = {}};
  for (int64_t y = 0; y < shape.weights[2]; ++y) {
    for (int64_t x = 0; x < shape.weights[3]; ++x) {
      part.taps.push_back({y - shape.padding[0], x - shape.padding[1]});
      part.filter_taps.push_back(y * shape.weights[3] + x);
    }
  }
  return part;
}

std::vector<TapPart> data_gradient_parts(const LinearShape& shape) {
  const int64_t stride_y = shape.stride[0], stride_x = shape.stride[1];
  std::vector<TapPart> parts;
  for (int64_t first_y = 0; first_y < stride_y; ++first_y) {
    for (int64_t first_x = 0; first_x < stride_x; ++first_x) {
      TapPart part{.grid = {.in = shape.out,
                            .out = shape.in,
                            .height = count_from(shape.in.height, first_y, stride_y),
                            .width = count_from(shape.in.width, first_x, stride_x),
                            .in_step_y = 1,
                            .in_step_x = 1,
                            .out_step_y = stride_y,
                            .out_step_x = stride_x,
                            .out_first_y = first_y,
                            .out_first_x = first_x},
                   .taps = {},
                   .filter_taps = {}};
      // The last of the filter's taps reads what comes first.
      for (int64_t y = shape.weights[2] - 1; y >= 0; --y) {
        for (int64_t x = shape.weights[3] - 1; x >= 0; --x) {
          const int64_t from_y = first_y + shape.padding[0] - y, from_x = first_x + shape.padding[1] - x;
          if (from_y % stride_y != 0 || from_x % stride_x != 0) continue;
          part.taps.push_back({from_y / stride_y, from_x / stride_x});
          part.filter_taps.push_back(y * shape.weights[3] + x);
        }
      }
      if (part.grid.rows() > 0) parts.push_back(std::move(part));
    }
  }
  return parts;
}

}  // namespace dl::cpu
