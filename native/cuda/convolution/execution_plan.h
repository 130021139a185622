#pragma once

#include <cstddef>
#include <optional>

#include "cuda/convolution/engine_choice.h"
#include "cuda/convolution/operation_graph.h"

namespace dl::cuda {

/// Where a convolution's tensors lie on the device.
struct ConvolutionPointers {
  void* input = nullptr;
  void* filter = nullptr;
  void* output = nullptr;
  void* workspace = nullptr;
};

/// A convolution compiled for a device.
class ExecutionPlan {
 public:
  /// For a device that is described, to be examined. Nothing where the engine cannot do it after all.
  static std::optional<ExecutionPlan> make(const OperationGraph& graph, const EngineChoice& choice, const Descriptor& device);
  /// For the device of the graph's handle, to be executed. Nothing where the engine cannot do it after all.
  static std::optional<ExecutionPlan> make(const OperationGraph& graph, const EngineChoice& choice);

  int64_t workspace_bytes() const { return plan_.integer(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE); }
  /// Gives the tensors their memory, for all executions that follow.
  void bind(const ConvolutionPointers& pointers);
  /// Enqueues it on the handle's stream.
  void execute(cudnnHandle_t handle) const;
  cudnnStatus_t try_execute(cudnnHandle_t handle) const;

 private:
  explicit ExecutionPlan(Descriptor plan) : plan_(std::move(plan)) {}
  /// `properties` is null where the graph's handle tells the device.
  static std::optional<ExecutionPlan> compile(const OperationGraph& graph, const EngineChoice& choice,
                                              const Descriptor* properties);

  Descriptor plan_;
  std::optional<Descriptor> pack_;
};

}  // namespace dl::cuda
