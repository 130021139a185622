// The reference's backward pass of each layer kind is the derivative of its forward pass, over many small random shapes.
#include <doctest/doctest.h>

#include <algorithm>

#include "reference/layers.h"
#include "test/finite_differences.h"
#include "test/random.h"

namespace dl::reference {
namespace {

using test::check_gradient;
using test::inner_product;
using test::Random;

constexpr int kShapes = 40;

/// Values at least 0.01 apart and away from 0, 1 and 6, so that no step of finite differences crosses a kink or changes a
/// maximum.
Tensor distinct(Random& random, int64_t n, int64_t c, int64_t h, int64_t w) {
  Tensor x(n, c, h, w);
  const auto count = static_cast<int64_t>(x.values.size());
  for (int64_t i = 0; i < count; ++i) x.values[i] = 0.01 * static_cast<double>(i - count / 2) + 0.005;
  for (int64_t i = count - 1; i > 0; --i) std::swap(x.values[i], x.values[random.integer(0, i)]);
  return x;
}

/// A window that fits the input, padded by at most half its size; often as large as the padded input itself.
void random_window(Random& random, int64_t input, int64_t& kernel, int64_t& stride, int64_t& padding) {
  do {
    kernel = random.integer(1, 5);
    padding = random.integer(0, kernel / 2);
  } while (kernel > input + 2 * padding);
  stride = random.integer(1, 3);
}

TEST_CASE("convolution: groups, depthwise, stride, padding, bias, 1 x 1, window as large as the padded input") {
  Random random(3);
  for (int shape = 0; shape < kShapes; ++shape) {
    Convolution layer;
    layer.groups = random.integer(1, 3);
    const int64_t per_group = random.integer(1, 3);
    layer.out_channels = layer.groups * random.integer(1, 3);
    layer.bias = random.chance(0.5);
    Tensor x = random.tensor(random.integer(1, 2), layer.groups * per_group, random.integer(1, 5), random.integer(1, 5));
    for (const int axis : {0, 1})
      random_window(random, axis == 0 ? x.h : x.w, layer.kernel[axis], layer.stride[axis], layer.padding[axis]);
    Values weight = random.values(layer.out_channels * per_group * layer.kernel[0] * layer.kernel[1], -1, 1);
    Values bias = random.values(layer.bias ? layer.out_channels : 0, -1, 1);
    const Tensor y = convolution_forward(x, weight, bias, layer);
    const Tensor dy = random.tensor(y.n, y.c, y.h, y.w);
    const auto loss = [&] { return inner_product(convolution_forward(x, weight, bias, layer), dy); };
    const ConvolutionGradients gradients = convolution_backward(x, weight, dy, layer);
    CAPTURE(shape);
    check_gradient("input", x.values, gradients.input.values, loss);
    check_gradient("weight", weight, gradients.weight, loss);
    check_gradient("bias", bias, gradients.bias, loss);
  }
}

TEST_CASE("batch norm by the statistics of the batch") {
  Random random(4);
  for (int shape = 0; shape < kShapes; ++shape) {
    const BatchNorm layer{random.chance(0.5) ? 1e-5 : 1e-2, 0.1};
    Tensor x = random.tensor(random.integer(2, 3), random.integer(1, 3), random.integer(1, 3), random.integer(2, 3), -2, 3);
    Values weight = random.values(x.c, 0.5, 2);
    Values bias = random.values(x.c, -1, 1);
    const Tensor dy = random.tensor(x.n, x.c, x.h, x.w);
    const auto loss = [&] { return inner_product(batch_norm_forward(x, batch_statistics(x), weight, bias, layer), dy); };
    const BatchNormGradients gradients = batch_norm_backward(x, weight, dy, layer);
    CAPTURE(shape);
    check_gradient("input", x.values, gradients.input.values, loss);
    check_gradient("weight", weight, gradients.weight, loss);
    check_gradient("bias", bias, gradients.bias, loss);
  }
}

TEST_CASE("ReLU with and without an upper bound") {
  Random random(5);
  for (const std::optional<double> max : {std::optional<double>(), std::optional<double>(0.5), std::optional<double>(6)}) {
    const Relu layer{max};
    Tensor x = distinct(random, 2, 3, 5, 7);
    if (max == 6) std::for_each(x.values.begin(), x.values.end(), [](double& value) { value *= 10; });
    const Tensor dy = random.tensor(x.n, x.c, x.h, x.w);
    check_gradient("input", x.values, relu_backward(x, dy, layer).values,
                   [&] { return inner_product(relu_forward(x, layer), dy); });
  }
}

TEST_CASE("ReLU's gradient at its kinks is 0") {
  Tensor x(1, 1, 1, 3);
  x.values = {0, 6, 3};
  Tensor dy(1, 1, 1, 3);
  dy.values = {1, 1, 1};
  CHECK(relu_backward(x, dy, Relu{6.0}).values == Values{0, 0, 1});
}

TEST_CASE("maximum and average pooling: stride, padding, ceil mode, count_include_pad") {
  Random random(6);
  for (int shape = 0; shape < 3 * kShapes; ++shape) {
    Pool layer;
    layer.kind = random.chance(0.5) ? Pool::Kind::kMax : Pool::Kind::kAverage;
    layer.ceil_mode = random.chance(0.5);
    layer.count_include_pad = random.chance(0.5);
    Tensor x = distinct(random, random.integer(1, 2), random.integer(1, 2), random.integer(1, 6), random.integer(1, 6));
    for (const int axis : {0, 1})
      random_window(random, axis == 0 ? x.h : x.w, layer.kernel[axis], layer.stride[axis], layer.padding[axis]);
    const bool max = layer.kind == Pool::Kind::kMax;
    const auto forward = [&] { return max ? max_pool_forward(x, layer) : average_pool_forward(x, layer); };
    const Tensor y = forward();
    const Tensor dy = random.tensor(y.n, y.c, y.h, y.w);
    const Tensor gradient = max ? max_pool_backward(x, dy, layer) : average_pool_backward(x, dy, layer);
    CAPTURE(shape);
    check_gradient("input", x.values, gradient.values, [&] { return inner_product(forward(), dy); });
  }
}

TEST_CASE("global average pooling") {
  Random random(7);
  Tensor x = random.tensor(2, 3, 4, 5);
  const Tensor dy = random.tensor(2, 3, 1, 1);
  check_gradient("input", x.values, global_average_pool_backward(x, dy).values,
                 [&] { return inner_product(global_average_pool_forward(x), dy); });
}

TEST_CASE("add and concat of three") {
  Random random(8);
  Tensor a = random.tensor(2, 1, 3, 2);
  Tensor b = random.tensor(2, 3, 3, 2);
  Tensor c = random.tensor(2, 2, 3, 2);
  Tensor d = random.tensor(2, 3, 3, 2);
  const Tensor dy = random.tensor(2, 6, 3, 2);
  const auto loss = [&] {
    const Tensor sum = add_forward(b, d);
    return inner_product(concat_forward({&a, &sum, &c}), dy);
  };
  const std::vector<Tensor> gradients = concat_backward({&a, &b, &c}, dy);
  check_gradient("first", a.values, gradients[0].values, loss);
  check_gradient("second, a sum", b.values, gradients[1].values, loss);
  check_gradient("the sum's other addend", d.values, gradients[1].values, loss);
  check_gradient("third", c.values, gradients[2].values, loss);
}

TEST_CASE("fully connected with and without bias") {
  Random random(9);
  for (const bool with_bias : {false, true}) {
    const FullyConnected layer{4, with_bias};
    Tensor x = random.tensor(3, 2, 2, 3);
    Values weight = random.values(4 * 12, -1, 1);
    Values bias = random.values(with_bias ? 4 : 0, -1, 1);
    const Tensor dy = random.tensor(3, 4, 1, 1);
    const auto loss = [&] { return inner_product(fully_connected_forward(x, weight, bias, layer), dy); };
    const FullyConnectedGradients gradients = fully_connected_backward(x, weight, dy, layer);
    check_gradient("input", x.values, gradients.input.values, loss);
    check_gradient("weight", weight, gradients.weight, loss);
    check_gradient("bias", bias, gradients.bias, loss);
  }
}

TEST_CASE("batch norm by stored statistics") {
  Random random(12);
  for (int shape = 0; shape < kShapes; ++shape) {
    const BatchNorm layer{random.chance(0.5) ? 1e-5 : 1e-2, 0.1};
    Tensor x = random.tensor(random.integer(1, 3), random.integer(1, 3), random.integer(1, 3), random.integer(1, 3), -2, 3);
    const BatchStatistics stored{random.values(x.c, -1, 1), random.values(x.c, 0.1, 2)};
    const Values weight = random.values(x.c, 0.5, 2), bias = random.values(x.c, -1, 1);
    const Tensor dy = random.tensor(x.n, x.c, x.h, x.w);
    CAPTURE(shape);
    check_gradient("input", x.values, batch_norm_backward_fixed(stored, weight, dy, layer).values,
                   [&] { return inner_product(batch_norm_forward(x, stored, weight, bias, layer), dy); });
  }
}

TEST_CASE("dropout with a given mask") {
  Random random(10);
  Tensor x = random.tensor(2, 3, 3, 2);
  const Tensor mask = dropout_mask(x, Dropout{0.4}, DropoutKey{7, 2, 3, 0});
  const Tensor dy = random.tensor(2, 3, 3, 2);
  check_gradient("input", x.values, dropout_apply(dy, mask).values, [&] { return inner_product(dropout_apply(x, mask), dy); });
}

TEST_CASE("softmax with the multinomial logistic loss, also of a part of the batch, with and without class weights") {
  Random random(11);
  Tensor logits = random.tensor(4, 5, 1, 1, -3, 3);
  const std::vector<int32_t> labels{0, 4, 2, 2};
  for (const Values& class_weights : {Values{}, Values{0.5, 7, 2, 1, 0}}) {
    for (const int64_t total : {4, 12}) {
      check_gradient("logits", logits.values, softmax_backward(logits, labels, total, class_weights).values,
                     [&] { return negative_log_likelihood(logits, labels, class_weights) / static_cast<double>(total); });
    }
  }
}

}  // namespace
}  // namespace dl::reference
