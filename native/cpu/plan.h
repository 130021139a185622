#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpu/kernels/kernels.h"
#include "cpu/operation.h"
#include "engine/arena.h"
#include "engine/host_memory.h"
#include "engine/options.h"
#include "engine/parameters.h"

namespace dl::cpu {

/// Tells whether values have changed, and how.
struct ValuesVersion {
  uint64_t steps = 0;         // training steps applied
  uint64_t restorations = 0;  // times that values were overwritten otherwise

  bool operator==(const ValuesVersion&) const = default;
};

/// A graph compiled for a batch size, an image size, a precision and training or applying: operations, lifetimes, one arena. Its
/// memory is known exactly before allocate(), and nothing is allocated after it.
class Plan {
 public:
  Plan(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training);
  ~Plan();

  const PlanOptions& options() const { return options_; }
  /// Bytes that allocate() takes.
  int64_t bytes() const;
  /// Takes the memory and compiles the kernels. Throws kOutOfMemory. Does nothing the second time.
  void allocate();
  bool allocated() const { return memory_.data() != nullptr; }

  /// Brings copies of weights up to date: none where they are of this version, those of layers that are not frozen where no more
  /// than steps lies between, else all.
  void load_weights(const float* values, const ValuesVersion& version);
  void forward(SubBatch& batch);
  /// After forward() of the same sub-batch. Training plans only.
  void backward(SubBatch& batch);

  /// (trained values); training plans only.
  float* gradients() const { return memory_.at<float>(0); }
  /// What the running statistics will be if the step is applied; offsets as in the flat parameters. Training plans only.
  float* next_statistics() const { return gradients(); }
  /// The trained tensors, in pieces of equal work.
  const std::vector<ParameterSegment>& segments() const { return segments_; }
  /// Scratch of 2 values a segment.
  double* segment_scratch() const;

 private:
  PlanOptions options_;
  int64_t parameter_values_;  // gradients and next statistics, training plans only
  std::vector<ParameterSegment> segments_;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::vector<Operation*> trained_operations_;  // those whose layer is not frozen
  std::vector<size_t> backward_operations_;     // indices of those with a backward half, in its order
  std::vector<std::string> layers_;             // names, by operation
  std::optional<ValuesVersion> loaded_;         // what the copies of weights are made of
  ArenaPlan arena_;
  HostMemory memory_;  // parameter_values_ floats, then the segments' scratch, then the arena
};

}  // namespace dl::cpu
