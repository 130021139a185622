// ReLU, addition, accumulation and concatenation: exact, whatever the size and the alignment.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cuda/kernels/test/buffer.h"
#include "cuda/kernels/test/comparison.h"

namespace dl::cuda::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
std::vector<T> stored(const std::vector<float>& values) {
  std::vector<T> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) store(result[i], values[i]);
  return result;
}

TEST_CASE_TEMPLATE("ReLU and its gradient", T, float, Bfloat16) {
  for (const int64_t size : {1, 7, 8, 4096, 4099})
    for (const size_t shift : {0, 1})
      for (const float upper : {kInfinity, 0.5f}) {
        CAPTURE(size);
        const auto x_values = random_values<T>(size, 1), dy_values = random_values<T>(size, 2),
                   dy2_values = random_values<T>(size, 3);
        Buffer<T> x(x_values, shift), y(size, shift), dy(dy_values, shift), dy2(dy2_values, shift), dx(size, shift);
        check(relu_forward<T>(on(), size, x.get(), upper, y.get()));
        std::vector<float> expected, expected_dx, expected_sum;
        for (size_t i = 0; i < x_values.size(); ++i) {
          const float value = std::min(std::max(load(x_values[i]), 0.0f), upper), gradient = load(dy_values[i]);
          const bool pass = value > 0 && value < upper;
          expected.push_back(value);
          expected_dx.push_back(pass ? gradient : 0);
          expected_sum.push_back(pass ? gradient + load(dy2_values[i]) : 0);
        }
        CHECK(to_double(y.read()) == to_double(stored<T>(expected)));
        check(relu_backward<T>(on(), size, dy.get(), nullptr, y.get(), upper, dx.get()));
        CHECK(to_double(dx.read()) == to_double(stored<T>(expected_dx)));
        check(relu_backward<T>(on(), size, dy.get(), dy2.get(), y.get(), upper, dy.get()));
        CHECK(to_double(dy.read()) == to_double(stored<T>(expected_sum)));
      }
}

TEST_CASE("ReLU lets NaN pass") {
  Buffer<float> x(std::vector<float>(8, std::numeric_limits<float>::quiet_NaN())), y(8);
  check(relu_forward<float>(on(), 8, x.get(), 6, y.get()));
  for (const float value : y.read()) CHECK(std::isnan(value));
}

TEST_CASE_TEMPLATE("addition", T, float, Bfloat16) {
  for (const int64_t size : {1, 8, 9000, 8191})
    for (const size_t shift : {0, 1}) {
      const auto a_values = random_values<T>(size, 1), b_values = random_values<T>(size, 2);
      Buffer<T> a(a_values, shift), b(b_values, shift), y(size, shift);
      std::vector<float> expected;
      for (size_t i = 0; i < a_values.size(); ++i) expected.push_back(load(a_values[i]) + load(b_values[i]));
      check(add<T>(on(), size, a.get(), b.get(), y.get()));
      CHECK(to_double(y.read()) == to_double(stored<T>(expected)));
      check(add<T>(on(), size, a.get(), b.get(), a.get()));
      CHECK(to_double(a.read()) == to_double(stored<T>(expected)));
    }
}

TEST_CASE("accumulation begins anew in the first sub-batch") {
  for (const int64_t size : {16, 5003}) {
    const auto source_values = random_values<float>(size, 1), target_values = random_values<float>(size, 2);
    Buffer<float> source(source_values), target(target_values);
    StepInputs inputs;
    Buffer<StepInputs> first({inputs});
    check(accumulate(on(), size, source.get(), target.get(), first.get()));
    CHECK(target.read() == source_values);
    inputs.accumulate = 1;
    Buffer<StepInputs> second({inputs});
    check(accumulate(on(), size, source.get(), target.get(), second.get()));
    auto expected = source_values;
    for (float& value : expected) value += value;
    CHECK(target.read() == expected);
  }
}

TEST_CASE_TEMPLATE("concatenation and its parts", T, float, Bfloat16) {
  struct Case {
    int64_t rows, part, whole, first;
    size_t shift;
  };
  for (const Case& test :
       {Case{15, 8, 24, 8, 0}, Case{15, 8, 24, 8, 1}, Case{7, 5, 12, 3, 0}, Case{100, 64, 192, 128, 0}, Case{1, 1, 1, 0, 0}}) {
    CAPTURE(test.part);
    const auto part_values = random_values<T>(test.rows * test.part, 1),
               whole_values = random_values<T>(test.rows * test.whole, 2);
    Buffer<T> part(part_values, test.shift), whole(whole_values, test.shift), back(test.rows * test.part, test.shift);
    ConcatCopy<T> job{test.rows, test.part, test.whole, test.first, part.get(), whole.get(), true};
    check(concat_copy<T>(on(), job));
    auto expected = to_double(whole_values);
    for (int64_t row = 0; row < test.rows; ++row)
      for (int64_t c = 0; c < test.part; ++c)
        expected[static_cast<size_t>(row * test.whole + test.first + c)] =
            static_cast<double>(load(part_values[static_cast<size_t>(row * test.part + c)]));
    CHECK(to_double(whole.read()) == expected);
    job.part = back.get();
    job.into_whole = false;
    check(concat_copy<T>(on(), job));
    CHECK(to_double(back.read()) == to_double(part_values));
  }
}

}  // namespace
}  // namespace dl::cuda::test
