#pragma once

#include <cstdint>
#include <span>

#include "engine/graph.h"

namespace dl {

/// Fills a tensor with its initial values. Weights: He et al. 2015, normal with mean 0 and variance 2 / fan-in, fan-in being the
/// number of inputs of one output value; the generator's counter is the value's position, its stream the tensor's name, so that a
/// layer's values depend on nothing else in the graph. Biases 0; a batch norm's `weight` 1, `bias` 0, `running_mean` 0,
/// `running_var` 1.
void initialize(const TensorInfo& tensor, uint64_t seed, std::span<float> values);

}  // namespace dl
