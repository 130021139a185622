#include "cpu/convolution_weights.h"

#include <cmath>

namespace dl::cpu {

ConvolutionWeights::ConvolutionWeights(PlanBuilder& builder, const FusedOperation& operation)
    : weights_offset_(builder.parameter(operation.node, 0)),
      channels_(builder.node(operation.node).shape.channels),
      filter_size_(builder.graph().tensors()[static_cast<size_t>(builder.node(operation.node).tensors[0])].size() / channels_),
      folds_(operation.batch_norm.has_value()) {
  if (std::get<Convolution>(builder.node(operation.node).kind).bias) bias_offset_ = builder.parameter(operation.node, 1);
  if (!folds_) return;
  for (size_t t = 0; t < batch_norm_offsets_.size(); ++t) batch_norm_offsets_[t] = builder.parameter(*operation.batch_norm, t);
  epsilon_ = std::get<BatchNorm>(builder.node(*operation.batch_norm).kind).epsilon;
  filters_ = builder.loading_scratch(float_bytes(channels_ * filter_size_));
  folded_bias_ = builder.arena().add_persistent(float_bytes(channels_));
}

const float* ConvolutionWeights::load(const float* values) {
  if (folds_) return fold(values);
  if (bias_offset_) bias_ = values + *bias_offset_;
  return values + weights_offset_;
}

const float* ConvolutionWeights::fold(const float* values) {
  float* filters = arena_.at<float>(filters_);
  float* biases = arena_.at<float>(folded_bias_);
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < channels_; ++c) {
    const auto of = [&](Tensor tensor) { return static_cast<double>(values[batch_norm_offsets_[tensor] + c]); };
    const double scale = of(kWeight) / std::sqrt(of(kRunningVariance) + epsilon_);
    const double bias = bias_offset_ ? static_cast<double>(values[*bias_offset_ + c]) : 0.0;
    biases[c] = static_cast<float>(of(kBias) + scale * (bias - of(kRunningMean)));
    for (int64_t i = c * filter_size_; i < (c + 1) * filter_size_; ++i)
      filters[i] = static_cast<float>(scale * static_cast<double>(values[weights_offset_ + i]));
  }
  bias_ = biases;
  return filters;
}

}  // namespace dl::cpu
