#pragma once

#include <cstdint>
#include <string>

#include "engine/graph.h"
#include "engine/options.h"

namespace dl::cuda {

enum class DataType { kFloat32, kBfloat16 };

constexpr int64_t bytes_of(DataType type) { return type == DataType::kFloat32 ? 4 : 2; }

/// One of the three convolutions of a layer: y = W * x, dx = W^T * dy, dW = dy * x^T. Activations are NHWC, filters KRSC.
struct ConvolutionShape {
  enum class Direction { kForward, kData, kFilter };

  Direction direction = Direction::kForward;
  int64_t images = 0;
  ImageShape in;  // channels with their padding
  ImageShape out;
  Extent kernel{1, 1};
  Extent stride{1, 1};
  Extent padding{0, 0};
  int64_t groups = 1;
  DataType type = DataType::kFloat32;    // of activations and filters
  DataType result = DataType::kFloat32;  // of what is computed
  bool added = false;                    // to what is there already; else it is overwritten
};

/// What the arithmetic may be.
struct ConvolutionRules {
  Precision precision = Precision::kFloat32;
  bool deterministic = false;
};

/// Names shape and rules in one line without spaces, for instance for a cache.
std::string key_of(const ConvolutionShape& shape, const ConvolutionRules& rules);

}  // namespace dl::cuda
