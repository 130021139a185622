#pragma once

#include <string>
#include <vector>

#include "engine/model.h"
#include "reference/training.h"
#include "test/batch.h"

namespace dl::test {

/// One small network under test.
struct EngineCase {
  std::string name;
  ImageShape input;
  int64_t batch_size = 2;
  std::vector<Layer> layers;
  PixelFormat format = PixelFormat::kUint8;
  int64_t batch_size_multiplier = 1;
};

/// How far the engine may be from the float64 reference. Tensors are compared as a whole: the norm of the difference over the
/// norm of the reference, `largest` by the greatest absolute value, `euclidean` by the Euclidean norm.
struct Bounds {
  double loss = 0;        // absolute
  double largest = 0;     // of gradients and statistics
  double euclidean = 0;   // of gradients and statistics
  double confidence = 0;  // absolute
};

/// A float32 sum of K products is off by about 6e-8 * sqrt(K) of its largest term; K stays below 10,000 here, and errors of up to
/// ten layers add up.
constexpr Bounds kFloat32Bounds{2e-6, 2e-5, 2e-5, 5e-6};

/// Replaces every tensor but the momentum by random values: the initial ones and zeros of biases and batch norms would hide
/// errors. Weights have variance 2 / fan-in.
void randomize(Model& model, Random& random);

/// The model's tensors in the order of its graph, in float64.
reference::TrainingState reference_state(const Model& model);

/// Trains one step with learning rate 1 and momentum 0, after which the momentum is exactly minus the gradient, and compares the
/// result, every gradient and every statistic with the reference; before and after it, the confidences of applying.
void check_against_reference(const EngineCase& test, uint64_t seed, Precision precision, const Bounds& bounds);

/// Checks `actual` against `expected` within the bounds; `floor` is added to the norms that the differences are divided by.
void check_close(const std::string& what, const reference::Values& actual, const reference::Values& expected,
                 const Bounds& bounds, double floor);

/// The tensor of a snapshot by name and role.
const NamedTensor& find(const std::vector<NamedTensor>& tensors, const std::string& name, TensorRole role);

/// Whether two snapshots have the same tensors, bit by bit.
bool bit_equal(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b);

}  // namespace dl::test
