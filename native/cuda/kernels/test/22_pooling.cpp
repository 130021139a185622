// Pooling against the float64 reference, chosen positions against the CPU backend's.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cpu/kernels/kernels.h"
#include "cuda/kernels/test/buffer.h"
#include "cuda/kernels/test/comparison.h"
#include "engine/graph.h"
#include "reference/layers.h"

namespace dl::cuda::test {
namespace {

struct PoolCase {
  int64_t n, h, w, c;
  Pool layer;
  size_t shift = 0;

  Window window() const {
    const auto size = [&](size_t axis, int64_t input) {
      return reference::count_windows(input, layer.kernel[axis], layer.stride[axis], layer.padding[axis], layer.ceil_mode);
    };
    return {.images = n,
            .channels = c,
            .in_height = h,
            .in_width = w,
            .out_height = size(0, h),
            .out_width = size(1, w),
            .kernel_height = layer.kernel[0],
            .kernel_width = layer.kernel[1],
            .stride_height = layer.stride[0],
            .stride_width = layer.stride[1],
            .padding_height = layer.padding[0],
            .padding_width = layer.padding[1],
            .count_include_pad = layer.count_include_pad};
  }
  int64_t in_size() const { return n * h * w * c; }
  int64_t out_size() const { return n * window().out_height * window().out_width * c; }
};

std::vector<PoolCase> pool_cases(Pool::Kind kind) {
  const auto pool = [&](Extent kernel, Extent stride, Extent padding, bool ceil_mode = false, bool include = true) {
    return Pool{kind, kernel, stride, padding, ceil_mode, include};
  };
  return {
      {2, 12, 12, 16, pool({3, 3}, {2, 2}, {1, 1})},
      {2, 13, 9, 5, pool({3, 3}, {2, 2}, {1, 1}, true)},
      {3, 7, 8, 24, pool({2, 2}, {2, 2}, {0, 0}, true, false)},
      {1, 6, 6, 8, pool({3, 2}, {5, 1}, {1, 1}, true, true)},
      {1, 6, 6, 8, pool({3, 2}, {5, 1}, {1, 1}, true, false), 1},
      {2, 5, 5, 72, pool({5, 5}, {1, 1}, {2, 2}, false, false)},
      {1, 15, 15, 3, pool({15, 15}, {1, 1}, {0, 0})},
      {2, 4, 9, 300, pool({1, 4}, {2, 3}, {0, 2})},
  };
}

cpu::Window cpu_window(const Window& w) {
  return {w.kernel_height,  w.kernel_width,  w.stride_height,    w.stride_width,
          w.padding_height, w.padding_width, w.count_include_pad};
}

TEST_CASE_TEMPLATE("maximum: values, positions, gradients", T, float, Bfloat16) {
  for (const PoolCase& test : pool_cases(Pool::Kind::kMax)) {
    CAPTURE(test.c);
    CAPTURE(test.h);
    const Window window = test.window();
    // Few different values, so that equal ones are frequent.
    auto x_values = random_values<T>(test.in_size(), 1, -4, 4);
    for (T& value : x_values) store(value, std::round(load(value)));
    const auto dy_values = random_values<T>(test.out_size(), 2), dy2_values = random_values<T>(test.out_size(), 3);
    Buffer<T> x(x_values, test.shift), y(test.out_size(), test.shift), dy(dy_values, test.shift), dy2(dy2_values, test.shift);
    Buffer<T> dx(test.in_size(), test.shift);
    Buffer<uint8_t> chosen(test.out_size(), test.shift);
    check(max_pool_forward<T>(on(), window, x.get(), y.get(), chosen.get()));
    check(max_pool_backward<T>(on(), window, dy.get(), nullptr, chosen.get(), dx.get()));

    const reference::Tensor in = to_nchw(to_double(x_values), test.n, test.h, test.w, test.c);
    CHECK(to_double(y.read()) == to_nhwc(reference::max_pool_forward(in, test.layer)));
    const auto gradient = to_nchw(to_double(dy_values), test.n, window.out_height, window.out_width, test.c);
    check_close("dx", to_double(dx.read()), to_nhwc(reference::max_pool_backward(in, gradient, test.layer)), kRounding<T>, 1e-6);

    if constexpr (sizeof(T) == 4) {
      std::vector<float> of_cpu(static_cast<size_t>(test.out_size()));
      std::vector<uint8_t> chosen_by_cpu(of_cpu.size());
      cpu::kernels().float32.max_pool_forward({test.n, test.c, test.h, test.w},
                                              {test.n, test.c, window.out_height, window.out_width}, cpu_window(window),
                                              x_values.data(), of_cpu.data(), chosen_by_cpu.data());
      CHECK(chosen.read() == chosen_by_cpu);
    }

    check(max_pool_backward<T>(on(), window, dy.get(), dy2.get(), chosen.get(), dx.get()));
    auto both = to_double(dy_values);
    for (size_t i = 0; i < both.size(); ++i) both[i] += static_cast<double>(load(dy2_values[i]));
    const auto sum = to_nchw(both, test.n, window.out_height, window.out_width, test.c);
    check_close("dx of two", to_double(dx.read()), to_nhwc(reference::max_pool_backward(in, sum, test.layer)), kRounding<T>,
                1e-6);
  }
}

TEST_CASE("NaN is a maximum") {
  std::vector<float> values(4, 1.0f);
  values[1] = std::numeric_limits<float>::quiet_NaN();
  Buffer<float> x(values), y(1);
  Buffer<uint8_t> chosen(1);
  const Window window{.images = 1,
                      .channels = 1,
                      .in_height = 2,
                      .in_width = 2,
                      .out_height = 1,
                      .out_width = 1,
                      .kernel_height = 2,
                      .kernel_width = 2};
  check(max_pool_forward<float>(on(), window, x.get(), y.get(), chosen.get()));
  CHECK(std::isnan(y.value()));
  CHECK(chosen.value() == 1);
}

TEST_CASE("a window of more than 255 places is refused") {
  Buffer<float> x(16 * 16), y(1);
  Buffer<uint8_t> chosen(1);
  const Window window{.images = 1,
                      .channels = 1,
                      .in_height = 16,
                      .in_width = 16,
                      .out_height = 1,
                      .out_width = 1,
                      .kernel_height = 16,
                      .kernel_width = 16};
  CHECK(max_pool_forward<float>(on(), window, x.get(), y.get(), chosen.get()) == cudaErrorInvalidValue);
}

TEST_CASE_TEMPLATE("average and its gradient", T, float, Bfloat16) {
  for (const PoolCase& test : pool_cases(Pool::Kind::kAverage)) {
    CAPTURE(test.c);
    CAPTURE(test.h);
    const Window window = test.window();
    const auto x_values = random_values<T>(test.in_size(), 1), dy_values = random_values<T>(test.out_size(), 2);
    const auto dy2_values = random_values<T>(test.out_size(), 3);
    Buffer<T> x(x_values, test.shift), y(test.out_size(), test.shift), dy(dy_values, test.shift), dy2(dy2_values, test.shift);
    Buffer<T> dx(test.in_size(), test.shift);
    check(average_pool_forward<T>(on(), window, x.get(), y.get()));
    const reference::Tensor in = to_nchw(to_double(x_values), test.n, test.h, test.w, test.c);
    check_close("y", to_double(y.read()), to_nhwc(reference::average_pool_forward(in, test.layer)), kRounding<T>, 1e-6);
    for (const bool two : {false, true}) {
      check(average_pool_backward<T>(on(), window, dy.get(), two ? dy2.get() : nullptr, dx.get()));
      auto gradient = to_double(dy_values);
      for (size_t i = 0; two && i < gradient.size(); ++i) gradient[i] += static_cast<double>(load(dy2_values[i]));
      const auto dy_tensor = to_nchw(gradient, test.n, window.out_height, window.out_width, test.c);
      check_close("dx", to_double(dx.read()), to_nhwc(reference::average_pool_backward(in, dy_tensor, test.layer)), kRounding<T>,
                  1e-6);
    }
  }
}

TEST_CASE_TEMPLATE("global average and its gradient", T, float, Bfloat16) {
  struct Case {
    int64_t n, h, w, c;
    size_t shift;
  };
  for (const Case& test :
       {Case{3, 7, 7, 64, 0}, Case{2, 1, 1, 24, 0}, Case{2, 5, 3, 10, 0}, Case{2, 9, 9, 520, 1}, Case{1, 30, 31, 8, 0}}) {
    CAPTURE(test.c);
    const int64_t spatial = test.h * test.w;
    const auto x_values = random_values<T>(test.n * spatial * test.c, 1), dy_values = random_values<T>(test.n * test.c, 2);
    Buffer<T> x(x_values, test.shift), y(test.n * test.c, test.shift), dy(dy_values, test.shift);
    Buffer<T> dx(test.n * spatial * test.c, test.shift);
    Buffer<float> logits(test.n * test.c);
    check(global_average_forward<T, T>(on(), test.n, spatial, test.c, x.get(), y.get()));
    check(global_average_forward<T, float>(on(), test.n, spatial, test.c, x.get(), logits.get()));
    check(global_average_backward<T>(on(), test.n, spatial, test.c, dy.get(), dx.get()));
    const reference::Tensor in = to_nchw(to_double(x_values), test.n, test.h, test.w, test.c);
    const auto expected = to_nhwc(reference::global_average_pool_forward(in));
    check_close("y", to_double(y.read()), expected, kRounding<T>, 1e-6);
    check_close("logits", to_double(logits.read()), expected, 1e-6, 1e-6);
    const auto dy_tensor = to_nchw(to_double(dy_values), test.n, 1, 1, test.c);
    check_close("dx", to_double(dx.read()), to_nhwc(reference::global_average_pool_backward(in, dy_tensor)), kRounding<T> + 1e-6,
                0);
  }
}

}  // namespace
}  // namespace dl::cuda::test
