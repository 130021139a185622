#pragma once

#include "engine/options.h"
#include "engine/solver.h"
#include "engine/step_rule.h"

namespace dl {

/// The rule of a step over `images` images; `corrections` are Adam's.
StepRule step_rule(const TrainOptions& options, int64_t images, Solver solver, const AdamCorrections& corrections);

/// Writes a step's loss, its parts, the gradient's norm and the top-1 error to `result`. Throws kStepDiverged where the step is
/// not sound.
void check_step(const StepVerdict& verdict, const StepSums& sums, int64_t images, StepResult& result);

}  // namespace dl
