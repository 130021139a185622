#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/arena.h"
#include "engine/options.h"
#include "engine/step_profile.h"

namespace dl::cpu {

class PlanBuilder;

/// The arena once it has memory.
struct Arena {
  const ArenaPlan* plan = nullptr;
  std::byte* memory = nullptr;

  template <class T>
  T* at(BufferId buffer) const {
    return reinterpret_cast<T*>(memory + plan->offset(buffer));
  }
};

/// What one sub-batch brings to the operations, and what it takes from them. Parameters are flat arrays as ParameterLayout has
/// them.
struct SubBatch {
  ImageBatch images;
  std::span<const int32_t> labels;
  std::span<const double> class_weights;  // one a class; empty: all 1
  int64_t images_before = 0;              // of the same step
  int64_t step_images = 0;                // of the whole step
  bool accumulate = false;                // add to the gradients instead of overwriting them
  uint64_t seed = 0;
  uint64_t step = 0;

  const float* values = nullptr;
  float* gradients = nullptr;        // trained tensors
  float* next_statistics = nullptr;  // same offsets as values; what the running statistics will be if the step is applied

  double loss = 0;               // result: sum over the images, weighted by class
  int64_t errors = 0;            // result: images whose best class is not the label
  float* confidences = nullptr;  // result when applying: (images, classes)

  StepProfile* profile = nullptr;    // where somebody wants to know where the time goes
  LayerSeconds* profiled = nullptr;  // the operation at work

  /// Ends the part of a backward half that computes gradients of weights.
  void weights_done() {
    if (profile) profile->lap(profiled->weights);
  }
};

/// One operation of a plan. The constructors plan the forward halves in the order of the graph, then plan_backward() is called in
/// the reverse order; memory exists from bind() on.
class Operation {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;

  virtual void plan_backward(PlanBuilder& /*builder*/) {}
  virtual void bind(const Arena& arena) = 0;
  /// Brings copies of weights up to date after the values changed.
  virtual void load_weights(const float* /*values*/) {}
  virtual void forward(SubBatch& batch) = 0;
  virtual void backward(SubBatch& /*batch*/) {}
};

}  // namespace dl::cpu
