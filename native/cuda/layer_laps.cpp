#include "cuda/layer_laps.h"

namespace dl::cuda {

void LayerLaps::enter(size_t operation) {
  operation_ = operation;
  if (!begun_) begin_.record(stream_);
  begun_ = true;
}

void LayerLaps::lap(double LayerSeconds::*phase) {
  Lap& lap = laps_.emplace_back();
  lap.seconds = &(profile_.layers[operation_].*phase);
  lap.end.record(stream_);
}

void LayerLaps::finish() {
  const Event* last = &begin_;
  for (const Lap& lap : laps_) {
    *lap.seconds += lap.end.seconds_since(*last);
    last = &lap.end;
  }
  laps_.clear();
  begun_ = false;
}

}  // namespace dl::cuda
