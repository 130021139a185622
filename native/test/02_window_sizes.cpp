// The output size of a window layer is the number of windows that fit, counted one by one.
#include <doctest/doctest.h>

#include "engine/graph.h"
#include "reference/layers.h"

namespace dl {
namespace {

TEST_CASE("window_output_size counts the windows") {
  int cases = 0;
  for (int64_t input = 1; input <= 12; ++input)
    for (int64_t kernel = 1; kernel <= 14; ++kernel)
      for (int64_t stride = 1; stride <= 6; ++stride)
        for (int64_t padding = 0; padding <= kernel / 2; ++padding)
          for (const bool ceil_mode : {false, true}) {
            if (input + 2 * padding < kernel) continue;
            CAPTURE(input);
            CAPTURE(kernel);
            CAPTURE(stride);
            CAPTURE(padding);
            CAPTURE(ceil_mode);
            const int64_t counted = reference::count_windows(input, kernel, stride, padding, ceil_mode);
            REQUIRE(counted >= 1);
            REQUIRE(window_output_size(input, kernel, stride, padding, ceil_mode) == counted);
            ++cases;
          }
  CHECK(cases > 2000);
}

// Sizes that PyTorch 2.13 gives: torch.nn.MaxPool1d(kernel, stride, padding, ceil_mode=True)(torch.zeros(1, 1, input)).shape[2]
TEST_CASE("ceil mode gives PyTorch's sizes") {
  CHECK(window_output_size(112, 3, 2, 1, false) == 56);
  CHECK(window_output_size(112, 3, 2, 1, true) == 57);
  CHECK(window_output_size(5, 2, 2, 0, true) == 3);
  CHECK(window_output_size(5, 2, 2, 1, true) == 3);
  CHECK(window_output_size(5, 3, 4, 1, true) == 2);
  CHECK(window_output_size(4, 2, 5, 1, true) == 1);
  CHECK(window_output_size(6, 2, 5, 0, true) == 2);
  CHECK(window_output_size(6, 3, 5, 1, true) == 2);
}

}  // namespace
}  // namespace dl
