#include "test/finite_differences.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace dl::test {

void check_gradient(const char* what, reference::Values& x, const reference::Values& gradient,
                    const std::function<double()>& loss) {
  constexpr double kStep = 1e-5;
  constexpr double kTolerance = 1e-7;
  REQUIRE(gradient.size() == x.size());
  double largest = 1;
  for (const double value : gradient) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < x.size(); ++i) {
    const double kept = x[i];
    x[i] = kept + kStep;
    const double above = loss();
    x[i] = kept - kStep;
    const double below = loss();
    x[i] = kept;
    const double difference = (above - below) / (2 * kStep);
    CHECK_MESSAGE(std::abs(difference - gradient[i]) <= kTolerance * largest,
                  what << "[" << i << "]: formula " << gradient[i] << ", finite difference " << difference);
  }
}

double inner_product(const reference::Tensor& a, const reference::Tensor& b) {
  REQUIRE(a.same_shape(b));
  double sum = 0;
  for (size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
  return sum;
}

}  // namespace dl::test
