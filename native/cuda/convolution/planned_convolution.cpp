#include "cuda/convolution/planned_convolution.h"

#include <algorithm>

#include "engine/error.h"

namespace dl::cuda {
namespace {

/// Why there is no engine: the batch is too large for any, or the convolution is none that cuDNN knows.
Error refusal(PlanBuilder& builder, const ConvolutionShape& shape, const std::string& layer) {
  ConvolutionShape one = shape;
  one.images = 1;
  const std::string key = key_of(shape, builder.rules());
  if (!is_computable(builder, one)) {
    return {Reason::kInternal, "layer '" + layer + "': cuDNN " + cudnn().version() + " has no engine for the convolution " + key +
                                   " on this device"};
  }
  const std::string bytes = std::to_string(shape.images * std::max(shape.in.size(), shape.out.size()) * bytes_of(shape.type));
  return {Reason::kOutOfMemory,
          "layer '" + layer + "': no convolution on this device takes an activation of " + bytes + " bytes",
          {{"bytes", bytes}}};
}

}  // namespace

PlannedConvolution::PlannedConvolution(PlanBuilder& builder, const ConvolutionShape& shape, const std::string& layer)
    : layer_(layer), shape_(shape), rules_(builder.rules()) {
  const auto& candidates = builder.target().candidates(shape, rules_);
  if (candidates.empty()) throw refusal(builder, shape, layer);
  for (const Candidate& candidate : candidates) workspace_bytes_ = std::max(workspace_bytes_, candidate.workspace_bytes);
  workspace_ = builder.scratch(workspace_bytes_);
}

bool is_computable(PlanBuilder& builder, const ConvolutionShape& shape) {
  return !builder.target().candidates(shape, builder.rules()).empty();
}

}  // namespace dl::cuda
