#pragma once

#include <string>
#include <vector>

#include "engine/model.h"
#include "reference/training.h"
#include "test/random.h"

namespace dl::test {

/// Replaces every tensor but the momentum by random values: the initial ones and zeros of biases and batch norms would hide
/// errors. Weights have variance 2 / fan-in.
void randomize(Model& model, Random& random);

/// The model's tensors and its solver's state in the order of its graph, in float64.
reference::TrainingState reference_state(const Model& model);

/// The tensor of a snapshot by name and role.
const NamedTensor& find(const std::vector<NamedTensor>& tensors, const std::string& name, TensorRole role);

/// Whether two snapshots have the same tensors, bit by bit.
bool bit_equal(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b);

}  // namespace dl::test
