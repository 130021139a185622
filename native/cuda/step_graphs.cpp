#include "cuda/step_graphs.h"

#include "cuda/runtime/error.h"

namespace dl::cuda {

void StepGraphs::run(bool first, bool last, StepProfile* profile) {
  if (profile != nullptr) return enqueue_timed(first, last, *profile);
  pieces_[first][last].run(handles_.compute(), [&](bool captured) { enqueue(first, last, captured); });
}

void StepGraphs::enqueue_timed(bool first, bool last, StepProfile& profile) {
  if (profile.layers.empty()) {
    for (const std::string& layer : plan_.layers()) profile.layers.push_back({.layer = layer});
  }
  struct Timed {
    Plan& plan;
    ~Timed() { plan.time(nullptr); }
  };
  const Timed timed{plan_};
  laps_.emplace(profile, handles_.compute());
  plan_.time(&*laps_);
  enqueue(first, last, false);
}

void StepGraphs::enqueue(bool first, bool last, bool captured) {
  const Stream& stream = handles_.compute();
  const auto record = [&](const Event& event) { captured ? event.record_in_graph(stream) : event.record(stream); };
  record(begin_);
  if (first) plan_.begin_step();
  plan_.forward();
  record(forward_);
  plan_.backward(!first);
  record(backward_);
  if (last) {
    plan_.update(model_);
    check(cudaMemcpyAsync(report_.data(), plan_.report(), sizeof(StepReport), cudaMemcpyDeviceToHost, stream), "a report");
  }
  record(end_);
}

void StepGraphs::wait(StepResult& times) {
  handles_.compute().synchronize();
  if (laps_) laps_->finish();
  laps_.reset();
  times.forward_seconds += forward_.seconds_since(begin_);
  times.backward_seconds += backward_.seconds_since(forward_);
  times.update_seconds += end_.seconds_since(backward_);
}

}  // namespace dl::cuda
