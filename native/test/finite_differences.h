#pragma once

#include <functional>

#include "reference/tensor.h"

namespace dl::test {

/// Checks `gradient` of `loss` at `x` against (loss(x + h) - loss(x - h)) / 2h for every value, in float64 with h = 1e-5: the
/// differences carry about h^2 = 1e-10 of truncation and 1e-16 / h = 1e-11 of rounding. `loss` reads `x`, which is put back.
void check_gradient(const char* what, reference::Values& x, const reference::Values& gradient,
                    const std::function<double()>& loss);

/// sum_i a[i] * b[i]: a loss whose gradient with respect to a layer's output a is b.
double inner_product(const reference::Tensor& a, const reference::Tensor& b);

}  // namespace dl::test
