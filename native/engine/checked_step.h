#pragma once

#include "engine/options.h"
#include "engine/solver.h"
#include "engine/step_rule.h"

namespace dl {

/// The rule of a step over `images` images; `corrections` are Adam's.
StepRule step_rule(const TrainOptions& options, int64_t images, Solver solver, const AdamCorrections& corrections);

/// Judges a step and writes its loss, its parts, the gradient's norm and the top-1 error to `result`. Throws kStepDiverged.
StepVerdict checked_step(const StepSums& sums, const StepRule& rule, StepResult& result);

}  // namespace dl
