#pragma once

namespace dl {

/// y = min(max(v, 0), upper) where `present`; upper is infinite for a plain ReLU.
struct Activation {
  bool present = false;
  float upper = 0;
};

}  // namespace dl
