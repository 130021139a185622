#pragma once

#include <memory>
#include <optional>

#include "cuda/parameters.h"
#include "cuda/plan.h"
#include "cuda/runtime/repeated_work.h"
#include "cuda/step_graphs.h"
#include "engine/device.h"

namespace dl::cuda {

class CudaDevice;

/// A network on a GPU.
class CudaModel final : public DeviceModel {
 public:
  CudaModel(CudaDevice& device, const Graph& graph, Solver solver, uint64_t seed);
  ~CudaModel() override;

  int64_t memory_bytes() const override;
  void prepare(const PlanOptions& options, bool training) override;
  void release_plans() override;
  void set_solver(Solver solver) override;
  StepResult train(const ImageBatch& images, std::span<const int32_t> labels, const TrainOptions& options) override;
  void apply(const ImageBatch& images, const PlanOptions& options, std::span<float> confidences) override;
  std::vector<float> read(int tensor, TensorRole role) const override;
  void write(int tensor, TensorRole role, const std::function<void(std::span<float>)>& fill) override;

 private:
  /// Tells whether what follows from the values is up to date.
  struct Version {
    uint64_t steps = 0;         // applied
    uint64_t restorations = 0;  // times that values were overwritten otherwise
    bool operator==(const Version&) const = default;
  };

  /// Pixels for the next step that lie in the training plan already, or are on their way there.
  struct Fetched {
    uint64_t id = 0;
    PixelFormat format = PixelFormat::kUint8;
  };

  Plan& plan(PlanOptions options, bool training);
  /// Gives up a plan and what belongs to it.
  void release(bool training);
  /// Brings copies of values and what follows from stored statistics up to date.
  void refresh(Plan& plan, std::optional<Version>& refreshed, bool training);
  /// Enqueues a sub-batch's way to the device, as soon as the pixels that were there are converted.
  void fetch(const Plan& plan, const ImageBatch& images);
  /// Enqueues the way of what was fetched to the first activation.
  void convert(const Plan& plan, const ImageBatch& images);
  /// While a step computes: waits for an upcoming batch, but not longer than for the step, and fetches its first sub-batch.
  void fetch_upcoming(const Plan& plan, UpcomingBatches& upcoming);
  void upload_inputs(const Plan& plan, std::span<const int32_t> labels, const TrainOptions& options, const StepRule& rule,
                     int64_t images_before);

  CudaDevice& device_;
  const Graph& graph_;
  uint64_t seed_;
  Parameters parameters_;
  Version version_;
  Event converted_;  // the pixels' room on the device is free again
  Event arrived_;
  std::optional<Fetched> fetched_;
  std::unique_ptr<Plan> training_plan_;
  std::unique_ptr<Plan> inference_plan_;
  std::optional<Version> training_refreshed_;
  std::optional<Version> inference_refreshed_;
  std::unique_ptr<StepGraphs> step_;  // of the training plan
  RepeatedWork apply_;                // with the inference plan
};

}  // namespace dl::cuda
