#pragma once

#include <array>
#include <optional>

#include "cpu/plan_builder.h"

namespace dl::cpu {

/// The filters and the bias that a convolution's forward half computes with: the layer's own; or, where the operation takes the
/// batch norm behind it, those that do its work as well:
///   W' = scale * W,   b' = shift + scale * (b - mean),   scale = weight / sqrt(variance + epsilon),
/// in float64 from the stored statistics, then rounded.
class ConvolutionWeights {
 public:
  ConvolutionWeights(PlanBuilder& builder, const FusedOperation& operation);

  void bind(const Arena& arena) { arena_ = arena; }
  /// Filters (out, in / groups, kernel height, kernel width), in float32, until something else of the plan is loaded or computed.
  /// Brings bias() up to date.
  const float* load(const float* values);
  /// (out channels), or null.
  const float* bias() const { return bias_; }

 private:
  enum Tensor : size_t { kWeight, kBias, kRunningMean, kRunningVariance };

  const float* fold(const float* values);

  int64_t weights_offset_;
  std::optional<int64_t> bias_offset_;
  int64_t channels_;
  int64_t filter_size_;  // values of an output channel
  bool folds_;
  std::array<int64_t, 4> batch_norm_offsets_{};  // by Tensor
  double epsilon_ = 0;
  BufferId filters_ = -1;
  BufferId folded_bias_ = -1;
  const float* bias_ = nullptr;
  Arena arena_;
};

}  // namespace dl::cpu
