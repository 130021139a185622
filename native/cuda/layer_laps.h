#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "cuda/runtime/stream.h"
#include "engine/step_profile.h"

namespace dl::cuda {

/// Where the time of a step goes on the device: events between the operations of a stream.
class LayerLaps {
 public:
  /// The first lap begins here.
  LayerLaps(StepProfile& profile, cudaStream_t stream) : profile_(profile), stream_(stream) { begin_.record(stream); }

  /// What is enqueued from now on belongs to this operation of the plan.
  void enter(size_t operation) { operation_ = operation; }
  /// What was enqueued since the last lap belongs to this phase of it.
  void lap(double LayerSeconds::*phase);
  /// When all of it has been done: adds the seconds to the profile.
  void finish() const;

 private:
  struct Lap {
    double* seconds;
    Event end;
  };

  StepProfile& profile_;
  cudaStream_t stream_;
  size_t operation_ = 0;
  Event begin_;
  std::deque<Lap> laps_;
};

}  // namespace dl::cuda
