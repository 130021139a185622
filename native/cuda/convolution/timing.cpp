#include "cuda/convolution/timing.h"

#include <algorithm>

#include "cuda/runtime/error.h"

namespace dl::cuda {

std::optional<double> seconds_of(const ExecutionPlan& plan, const Handles& handles, double least_so_far) {
  constexpr int kRuns = 4;
  constexpr int kMostExecutions = 5;
  constexpr double kRunSeconds = 1e-3;
  // Runs of one plan differ by less than that.
  constexpr double kHopeless = 1.3;
  if (plan.try_execute(handles.cudnn()) != CUDNN_STATUS_SUCCESS) {
    // A refused candidate may leave an error behind that is none of the device, a kernel that was not compiled for it for
    // instance.
    const cudaError_t error = failure_of_device();
    if (reason_of(error) == Reason::kDeviceLost) check(error, "timing a convolution");
    cudaGetLastError();
    return std::nullopt;
  }
  handles.compute().synchronize();
  const Event begin, end;
  double least = 0;
  int executions = 2;
  for (int run = 0; run < kRuns; ++run) {
    begin.record(handles.compute());
    for (int i = 0; i < executions; ++i) plan.execute(handles.cudnn());
    end.record(handles.compute());
    end.synchronize();
    const double seconds = end.seconds_since(begin) / executions;
    least = run == 0 ? seconds : std::min(least, seconds);
    if (least > kHopeless * least_so_far) break;
    executions = static_cast<int>(std::clamp(kRunSeconds / least, 1.0, double{kMostExecutions}));
  }
  return least;
}

}  // namespace dl::cuda
