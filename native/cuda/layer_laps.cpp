#include "cuda/layer_laps.h"

namespace dl::cuda {

void LayerLaps::lap(double LayerSeconds::*phase) {
  Lap& lap = laps_.emplace_back();
  lap.seconds = &(profile_.layers[operation_].*phase);
  lap.end.record(stream_);
}

void LayerLaps::finish() const {
  const Event* last = &begin_;
  for (const Lap& lap : laps_) {
    *lap.seconds += lap.end.seconds_since(*last);
    last = &lap.end;
  }
}

}  // namespace dl::cuda
