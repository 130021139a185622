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

/// What one side makes of a case: confidences, one training step, confidences after it.
struct Outcome {
  reference::Values confidences_before;
  double loss = 0;
  double gradient_norm = 0;
  double top1_error = 0;
  reference::Parameters gradients;  // of trained tensors
  reference::Parameters values;     // after the step
  reference::Values confidences_after;
};

/// A case, the same weights and the same batch for everybody.
class Experiment {
 public:
  Experiment(const EngineCase& test, uint64_t seed);

  const Graph& graph() const { return model_.graph(); }
  /// The engine trains with learning rate 1 and momentum 0: the momentum is then exactly minus the gradient. `confidences_after`
  /// of the reference are those of the engine's weights.
  Outcome engine(Precision precision);
  /// Call it after engine().
  Outcome reference(reference::Storage storage) const;

 private:
  EngineCase test_;
  uint64_t seed_;
  uint64_t step_;
  Model model_;
  Batch batch_;
  reference::TrainingState before_;
  reference::TrainingState after_;
};

/// How far the engine may be from the float64 reference. Tensors are compared as a whole: the greatest difference over the
/// greatest value (`largest`), and the Euclidean norm of the difference over the Euclidean norm (`euclidean`).
struct Bounds {
  double loss = 0;  // relative where the loss is above 1
  double largest = 0;
  double euclidean = 0;
  double confidence = 0;  // absolute
};

/// A float32 sum of K products is off by about 6e-8 * sqrt(K) of its largest term; K stays below 10,000 here, errors of up to ten
/// layers add up, and the gradient of a logit, f - y, loses a digit or two where the image is classified well.
constexpr Bounds kFloat32Bounds{2e-6, 5e-5, 5e-5, 5e-6};

/// Compares one training step in float32, every gradient, every statistic, and the confidences before and after it.
void check_against_reference(const EngineCase& test, uint64_t seed, const Bounds& bounds = kFloat32Bounds);

/// Checks `actual` against `expected`; `floor` is added to the norms that the differences are divided by.
void check_close(const std::string& what, const reference::Values& actual, const reference::Values& expected,
                 const Bounds& bounds, double floor);

/// Euclidean norm of a - b, and of a.
double distance(const reference::Values& a, const reference::Values& b);
double norm(const reference::Values& a);
/// Greatest |a - b|.
double greatest_difference(const reference::Values& a, const reference::Values& b);

}  // namespace dl::test
