// The order of filters on the device, and their padding.
#include <doctest/doctest.h>

#include <array>
#include <vector>

#include "cuda/kernels/test/buffer.h"
#include "cuda/kernels/test/comparison.h"

namespace dl::cuda::test {
namespace {

TEST_CASE("filters go to KRSC and back") {
  for (const auto& [filters, channels, positions] :
       std::vector<std::array<int64_t, 3>>{{4, 3, 9}, {1, 1, 1}, {8, 1, 9}, {5, 64, 1}, {10, 16, 36}}) {
    const auto values = random_values<float>(filters * channels * positions, 1);
    Buffer<float> host_order(values), device_order(filters * channels * positions), back(filters * channels * positions);
    check(permute_filters(on(), filters, channels, positions, host_order.get(), device_order.get(), true));
    const auto permuted = device_order.read();
    bool right = true;
    for (int64_t k = 0; k < filters; ++k)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t p = 0; p < positions; ++p)
          right = right && permuted[static_cast<size_t>((k * positions + p) * channels + c)] ==
                               values[static_cast<size_t>((k * channels + c) * positions + p)];
    CHECK(right);
    check(permute_filters(on(), filters, channels, positions, device_order.get(), back.get(), false));
    CHECK(back.read() == values);
  }
}

TEST_CASE("padded channels are 0 and are dropped again") {
  const auto values = random_values<float>(49 * 3, 1);
  Buffer<float> source(values), padded(49 * 4), back(49 * 3);
  Buffer<Bfloat16> narrow(49 * 8);
  check(pad_channels<float>(on(), 49, 3, 4, source.get(), padded.get()));
  check(pad_channels<Bfloat16>(on(), 49, 3, 8, source.get(), narrow.get()));
  check(unpad_channels(on(), 49, 3, 4, padded.get(), back.get()));
  CHECK(back.read() == values);
  const auto wide = padded.read();
  const auto rounded = narrow.read();
  for (size_t row = 0; row < 49; ++row) {
    CHECK(wide[row * 4 + 3] == 0);
    for (size_t c = 0; c < 8; ++c) CHECK(load(rounded[row * 8 + c]) == (c < 3 ? as_stored<Bfloat16>(values[row * 3 + c]) : 0.0f));
  }
}

}  // namespace
}  // namespace dl::cuda::test
