#include "cuda/target.h"

#include "engine/error.h"

namespace dl::cuda {

const std::vector<Candidate>& Target::candidates(const ConvolutionShape& shape, const ConvolutionRules& rules) {
  const auto [entry, added] = asked_.try_emplace(key_of(shape, rules), shape, rules);
  std::vector<Candidate>& found = entry->second.candidates;
  if (!added) return found;
  try {
    found = cuda::candidates(shape, rules, properties_);
  } catch (const Error& error) {
    if (error.reason() == Reason::kInternal) return found;  // sizes that cuDNN does not take at all
    asked_.erase(entry);
    throw;
  }
  return found;
}

}  // namespace dl::cuda
