#include "cuda/target.h"

#include "engine/error.h"

namespace dl::cuda {

const std::vector<Candidate>& Target::candidates(const ConvolutionShape& shape, const ConvolutionRules& rules) {
  const auto [entry, added] = known_.try_emplace(key_of(shape, rules));
  if (!added) return entry->second;
  try {
    entry->second = cuda::candidates(OperationGraph(shape), rules, properties_);
  } catch (const Error& error) {
    // Sizes that cuDNN does not take at all.
    if (error.reason() != Reason::kInternal) throw;
  }
  return entry->second;
}

}  // namespace dl::cuda
