#pragma once

#include <vector>

#include "cuda/convolution/engine_choice.h"
#include "cuda/convolution/operation_graph.h"
#include "cuda/convolution/shape.h"

namespace dl::cuda {

/// A way to compute a convolution, as cuDNN's heuristics propose it.
struct Candidate {
  EngineChoice choice;
  int64_t workspace_bytes = 0;
  bool tensor_cores = false;
};

/// Each of them is timed: all of ResNet-50's convolutions should take seconds. Of the 30 to 40 that the heuristics propose, the
/// last are their last choice.
constexpr size_t kMostCandidates = 24;

/// The same, or what the environment variable DL_CLASSIFIER_CONVOLUTION_CANDIDATES says, for programs with many convolutions that
/// are computed seldom. Throws kInvalidArgument where that is no integer from 1 to kMostCandidates.
size_t most_candidates();

/// Scratch memory of one convolution at most; what wants more is no candidate.
constexpr int64_t kMostWorkspaceBytes = int64_t{64} << 20;

/// The same of an engine for tensor cores, where none is content with less: for few channels in TF32 cuDNN first copies both
/// tensors into another order, 1 GiB for the weight gradient of ResNet-50's first convolution (batch 256). Not with groups: what
/// a few channels give to tensor cores is not worth it.
constexpr int64_t kMostTensorCoreWorkspaceBytes = int64_t{2} << 30;

/// What cuDNN's heuristics propose for this device, best first, without repetitions and without what the rules forbid: both of
/// its models, and only where they know nothing its list of engines that work anyhow. No memory of the device is taken. Empty
/// where cuDNN cannot compute the convolution on this device. Throws kInternal where it does not know such sizes.
std::vector<Candidate> candidates(const ConvolutionShape& shape, const ConvolutionRules& rules, const Descriptor& device,
                                  size_t most = most_candidates());

}  // namespace dl::cuda
