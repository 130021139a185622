#pragma once

#include <array>
#include <optional>

#include "cuda/layer_laps.h"
#include "cuda/plan.h"
#include "cuda/runtime/memory.h"
#include "cuda/runtime/repeated_work.h"
#include "cuda/runtime/stream.h"
#include "engine/options.h"

namespace dl::cuda {

/// A training plan's step, sub-batch by sub-batch, each as one CUDA graph.
class StepGraphs {
 public:
  StepGraphs(Plan& plan, const Handles& handles, const ModelMemory& model) : plan_(plan), handles_(handles), model_(model) {}

  /// One sub-batch forward and backward; of a step's last sub-batch the update, too, and the report's way back.
  /// With a profile each layer is timed, which wait() adds to it; then the operations are enqueued one by one, not as a graph.
  void run(bool first, bool last, StepProfile* profile);
  /// Waits for what run() enqueued and adds the seconds of its phases.
  void wait(StepResult& times);
  /// After wait() of the last sub-batch.
  const StepReport& report() const { return *report_.at<StepReport>(0); }

 private:
  void enqueue(bool first, bool last, bool captured);
  void enqueue_timed(bool first, bool last, StepProfile& profile);

  Plan& plan_;
  const Handles& handles_;
  ModelMemory model_;
  std::array<std::array<RepeatedWork, 2>, 2> pieces_;  // by first, last
  Event begin_, forward_, backward_, end_;
  PinnedMemory report_{sizeof(StepReport)};
  std::optional<LayerLaps> laps_;  // until the next wait()
};

}  // namespace dl::cuda
