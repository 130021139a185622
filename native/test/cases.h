#pragma once

#include <vector>

#include "test/comparison.h"

namespace dl::test {

/// One layer under test behind a convolution, so that the gradient with respect to its input is seen in that convolution's
/// weights.
std::vector<EngineCase> convolution_cases();
std::vector<EngineCase> batch_norm_cases();
std::vector<EngineCase> elementwise_cases();
std::vector<EngineCase> pooling_cases();
std::vector<EngineCase> head_cases();

/// Pieces of real networks: residual blocks, branches, inverted residuals, stems.
std::vector<EngineCase> block_cases();

/// A network of random layers that fit each other.
EngineCase random_case(uint64_t seed);

}  // namespace dl::test
