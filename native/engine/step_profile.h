#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace dl {

/// Seconds of one layer in a step; a batch norm's are also those of the addition and the ReLU that it takes with it.
struct LayerSeconds {
  std::string layer;
  double forward = 0;
  double weights = 0;   // gradients of weights
  double backward = 0;  // the rest of the backward half
};

/// Where the time of a step goes.
class StepProfile {
 public:
  /// The next lap begins now.
  void begin() { last_ = Clock::now(); }
  /// Adds what has passed since the last lap.
  void lap(double& seconds) {
    const auto now = Clock::now();
    seconds += std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

  /// In the order of the plan's operations.
  std::vector<LayerSeconds> layers;

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_;
};

}  // namespace dl
