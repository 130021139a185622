#pragma once

#include <map>
#include <string>
#include <vector>

#include "cuda/convolution/candidates.h"
#include "cuda/convolution/choice_cache.h"

namespace dl::cuda {

/// The device that plans are made for: all that planning needs to know of it. No memory of the device is taken, so plans can be
/// made, and their memory told, for a device that is only described. One thread.
class Target {
 public:
  Target(int multiprocessors, Descriptor properties, ChoiceCache choices)
      : multiprocessors_(multiprocessors), properties_(std::move(properties)), choices_(std::move(choices)) {}

  int multiprocessors() const { return multiprocessors_; }
  const Descriptor& properties() const { return properties_; }
  ChoiceCache& choices() { return choices_; }

  /// A convolution that a plan has asked for.
  struct Asked {
    ConvolutionShape shape;
    ConvolutionRules rules;
    std::vector<Candidate> candidates;
  };

  /// As cuda::candidates() has them; asked of cuDNN once for each key.
  const std::vector<Candidate>& candidates(const ConvolutionShape& shape, const ConvolutionRules& rules);
  /// All convolutions so far, by key.
  const std::map<std::string, Asked>& asked() const { return asked_; }

 private:
  int multiprocessors_;
  Descriptor properties_;
  ChoiceCache choices_;
  std::map<std::string, Asked> asked_;
};

}  // namespace dl::cuda
