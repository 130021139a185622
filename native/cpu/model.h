#pragma once

#include <memory>

#include "cpu/plan.h"
#include "cpu/solver_state.h"
#include "engine/device.h"
#include "engine/host_memory.h"
#include "engine/parameters.h"
#include "engine/step_rule.h"

namespace dl::cpu {

/// A network in the machine's memory.
class CpuModel final : public DeviceModel {
 public:
  CpuModel(const Graph& graph, Solver solver, uint64_t seed);

  int64_t memory_bytes() const override;
  void prepare(const PlanOptions& options, bool training) override { plan(options, training); }
  void release_plans() override;
  void set_solver(Solver solver) override;
  StepResult train(const ImageBatch& images, std::span<const int32_t> labels, const TrainOptions& options) override;
  void apply(const ImageBatch& images, const PlanOptions& options, std::span<float> confidences) override;
  std::vector<float> read(int tensor, TensorRole role) const override;
  void write(int tensor, TensorRole role, const std::function<void(std::span<float>)>& fill) override;

 private:
  /// The plan of these options, with memory.
  Plan& plan(PlanOptions options, bool training);
  float* values() const { return parameters_.at<float>(0); }
  std::span<float> values(int tensor, TensorRole role) const;
  /// The last part of a step: new weights, state and statistics.
  void update(const Plan& plan, const TrainOptions& options, double gradient_scale, const AdamCorrections& corrections);

  const Graph& graph_;
  ParameterLayout layout_;
  HostMemory parameters_;               // all tensors of the graph, as the layout has them
  std::unique_ptr<SolverState> state_;  // never null
  ValuesVersion version_;
  uint64_t seed_;
  std::unique_ptr<Plan> training_plan_;
  std::unique_ptr<Plan> inference_plan_;
};

/// Bytes of parameters and state.
int64_t parameter_bytes(const ParameterLayout& layout, const Graph& graph, Solver solver);

}  // namespace dl::cpu
