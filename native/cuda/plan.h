#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cuda/operations/input.h"
#include "cuda/plan_builder.h"
#include "cuda/runtime/memory.h"

namespace dl::cuda {

/// What a model lends its plans: device memory that outlives them.
struct ModelMemory {
  float* values = nullptr;
  float* first_moments = nullptr;  // SGD: velocities
  float* second_moments = nullptr;
  Solver solver = Solver::kSgd;
};

/// A graph compiled for a batch size, an image size, a precision and training or applying: operations, lifetimes, one arena. Its
/// memory is known exactly before allocate(), and nothing is allocated after it.
class Plan {
 public:
  Plan(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training, Target& target);

  const PlanOptions& options() const { return options_; }
  /// Bytes of device memory that allocate() takes.
  int64_t bytes() const { return arena_.bytes(); }
  /// Takes the memory and finds the quickest convolutions. Throws kOutOfMemory. Does nothing the second time.
  void allocate(const Handles& handles, const ModelMemory& model, Target& target);
  bool allocated() const { return memory_.data() != nullptr; }

  /// Where things lie; after allocate().
  StepInputs* inputs() const { return at<StepInputs>(inputs_); }
  StepReport* report() const { return at<StepReport>(report_); }
  int32_t* labels() const { return at<int32_t>(labels_); }
  double* class_weights() const { return at<double>(class_weights_); }
  float* adam_step() const { return at<float>(adam_step_); }
  float* adam_root() const { return at<float>(adam_root_); }
  float* confidences() const { return at<float>(confidences_); }
  /// Room for the pixels of a sub-batch in float32.
  std::byte* pixels() const { return at<std::byte>(pixels_); }
  int64_t pixel_bytes() const { return pixel_bytes_; }

  /// What forward() and backward() enqueue from now on is timed by these, unless they are null.
  void time(LayerLaps* laps) { pass_.laps = laps; }
  /// The layers of the operations.
  const std::vector<std::string>& layers() const { return layers_; }

  // Everything below only enqueues on the compute stream.

  /// After values changed that no step of this plan changes.
  void refresh();
  void convert(const void* pixels, PixelFormat format, int64_t first, int64_t images) const;
  /// Before the first sub-batch of a step.
  void begin_step() const;
  void forward() const;
  void backward(bool accumulate);
  /// Norms and verdict, then new values, state and statistics where the step is sound.
  void update(const ModelMemory& model) const;

 private:
  template <class T>
  T* at(BufferId buffer) const {
    return buffer < 0 ? nullptr : memory_.at<T>(arena_.offset(buffer));
  }
  void add_persistent(PlanBuilder& builder);

  const ParameterLayout& parameters_;
  PlanOptions options_;
  std::vector<ParameterSegment> segments_;  // training plans only
  int64_t images_ = 0;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::vector<std::string> layers_;
  InputOperation* input_ = nullptr;
  std::vector<size_t> backward_operations_;  // those with a backward half, in its order
  int64_t pixel_bytes_ = 0;
  BufferId copies_ = -1, gradients_ = -1, segment_buffer_ = -1, inputs_ = -1, report_ = -1, labels_ = -1, class_weights_ = -1,
           adam_step_ = -1, adam_root_ = -1, confidences_ = -1, pixels_ = -1, counters_ = -1;
  PlannedReduction norms_;
  ArenaPlan arena_;
  DeviceMemory memory_;
  Pass pass_;
};

}  // namespace dl::cuda
