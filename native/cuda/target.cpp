#include "cuda/target.h"

namespace dl::cuda {

const std::vector<Candidate>& Target::candidates(const ConvolutionShape& shape, const ConvolutionRules& rules) {
  const auto [entry, added] = known_.try_emplace(key_of(shape, rules));
  if (added) entry->second = cuda::candidates(OperationGraph(shape), rules, properties_);
  return entry->second;
}

}  // namespace dl::cuda
