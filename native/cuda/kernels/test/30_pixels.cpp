// Pixels to the first activation, with and without padded channels; and the search for values out of range.
#include <doctest/doctest.h>

#include <limits>

#include "cuda/kernels/test/buffer.h"
#include "cuda/kernels/test/comparison.h"

namespace dl::cuda::test {
namespace {

template <class T>
void check_conversion(int64_t pixels, int channels, int padded, bool bytes, size_t shift_of_pixels = 0) {
  CAPTURE(pixels);
  CAPTURE(channels);
  CAPTURE(padded);
  const auto scale_values = random_values<float>(channels, 1), shift_values = random_values<float>(channels, 2);
  const auto floats = random_values<float>(pixels * channels, 3, -127, 128);
  std::vector<uint8_t> grey(floats.size());
  for (size_t i = 0; i < grey.size(); ++i) grey[i] = static_cast<uint8_t>(i * 37 + i / 256);
  Buffer<float> scale(scale_values), shift(shift_values), float_pixels(floats, shift_of_pixels);
  Buffer<uint8_t> byte_pixels(grey, shift_of_pixels);
  Buffer<T> y(pixels * padded);
  PixelConversion<T> job{pixels, channels, padded, float_pixels.get(), scale.get(), shift.get(), y.get()};
  if (bytes) job.values = byte_pixels.get();
  check(bytes ? convert_uint8<T>(on(), job) : convert_float<T>(on(), job));
  reference::Values expected;
  for (int64_t p = 0; p < pixels; ++p)
    for (int c = 0; c < padded; ++c) {
      const auto i = static_cast<size_t>(p * channels + c), channel = static_cast<size_t>(c);
      const double value = c >= channels ? 0 : bytes ? grey[i] - 127.0 : static_cast<double>(floats[i]);
      expected.push_back(
          c >= channels ? 0 : value * static_cast<double>(scale_values[channel]) + static_cast<double>(shift_values[channel]));
    }
  check_close("y", to_double(y.read()), expected, kRounding<T>, 3e-7);
}

TEST_CASE_TEMPLATE("conversion", T, float, Bfloat16) {
  for (const bool bytes : {false, true})
    for (const int64_t pixels : {1, 5, 1024, 1029, 3000}) {
      for (const int padded : {3, 4, 8}) check_conversion<T>(pixels, 3, padded, bytes);
      for (const int padded : {1, 4, 8}) check_conversion<T>(pixels, 1, padded, bytes);
      check_conversion<T>(pixels, 8, 8, bytes);
      check_conversion<T>(pixels, 3, 4, bytes, 1);
    }
}

TEST_CASE("channels that do not fit are refused") {
  Buffer<float> values(16);
  CHECK(convert_float<float>(on(), {1, 3, 2, values.get(), values.get(), values.get(), values.get()}) == cudaErrorInvalidValue);
  CHECK(convert_float<float>(on(), {1, 9, 9, values.get(), values.get(), values.get(), values.get()}) == cudaErrorInvalidValue);
}

TEST_CASE("the first value out of range is found") {
  for (const int64_t size : {8, 5000, 5003}) {
    auto values = random_values<float>(size, 1, -127, 128);
    Buffer<uint64_t> first(1);
    const auto search = [&] {
      Buffer<float> buffer(values);
      check(find_pixel_fault(on(), buffer.get(), size, -127, 128, first.get()));
      return first.value();
    };
    CHECK(search() == static_cast<uint64_t>(size));
    values.back() = std::numeric_limits<float>::quiet_NaN();
    CHECK(search() == static_cast<uint64_t>(size - 1));
    values[5] = 128.5f;
    CHECK(search() == 5);
    values[3] = -std::numeric_limits<float>::infinity();
    CHECK(search() == 3);
  }
}

}  // namespace
}  // namespace dl::cuda::test
