#pragma once

#include <cstdint>

#include "cuda/arena.h"
#include "cuda/handles.h"

namespace dl::cuda {

class LayerLaps;
class PlanBuilder;
class Target;

/// Where the operations of a plan read and write beside the arena: device memory that stays where it is, so that what they
/// enqueue can be captured once. Parameters are flat arrays as ParameterLayout has them, each tensor in the device's order.
struct Pass {
  const Handles* handles = nullptr;
  const float* values = nullptr;
  const Bfloat16* copies = nullptr;  // of the values, in bfloat16 plans
  float* gradients = nullptr;        // trained tensors
  float* next_statistics = nullptr;  // same offsets as values; what the running statistics will be if the step is applied
  const StepInputs* inputs = nullptr;
  StepReport* report = nullptr;
  const int32_t* labels = nullptr;
  const double* class_weights = nullptr;
  float* confidences = nullptr;  // result when applying: (images, classes)
  bool accumulate = false;       // gradients are added to those of the sub-batches before
  LayerLaps* laps = nullptr;     // where somebody wants to know where the time goes

  Launch launch() const { return handles->launch(); }
  /// What an operation has enqueued so far in its backward half gives the gradients of its weights.
  void end_weights() const;
  /// The values in the type that activations have.
  template <class T>
  const T* typed_values() const;
};

template <>
inline const float* Pass::typed_values<float>() const {
  return values;
}
template <>
inline const Bfloat16* Pass::typed_values<Bfloat16>() const {
  return copies;
}

/// One operation of a plan. The constructors plan the forward halves in the order of the graph, then plan_backward() is called in
/// the reverse order; memory exists from bind() on. Everything else only enqueues.
class Operation {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;

  virtual void plan_backward(PlanBuilder& /*builder*/) {}
  /// May compute on the memory that it is given, whose contents do not matter yet, to find out what is quickest.
  virtual void bind(const Arena& arena, const Pass& pass, Target& target) = 0;
  /// After values that no step of this plan changes have changed: brings up to date what follows from them.
  virtual void refresh(const Pass& /*pass*/) {}
  virtual void forward(const Pass& pass) = 0;
  virtual void backward(const Pass& /*pass*/) {}
};

}  // namespace dl::cuda
