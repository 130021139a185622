#include "images/resize.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>

#include "engine/error.h"

#if defined(__x86_64__)
#define DL_IMAGES_X86 1
#endif

namespace dl::images {
namespace {

constexpr uint64_t kLargestValue = 255;

template <class Sum>
[[gnu::always_inline]] inline void add_row_body(Sum* sums, const uint8_t* row, int64_t values, Sum weight) {
  for (int64_t i = 0; i < values; ++i) sums[i] += weight * row[i];
}

template <class Sum>
void add_row_plain(Sum* sums, const uint8_t* row, int64_t values, Sum weight) {
  add_row_body(sums, row, values, weight);
}

#ifdef DL_IMAGES_X86
template <class Sum>
[[gnu::target("avx2")]] void add_row_avx2(Sum* sums, const uint8_t* row, int64_t values, Sum weight) {
  add_row_body(sums, row, values, weight);
}
#endif

/// sums += weight * row: the one loop that sees every pixel of a large image. Whole numbers, so that all variants agree.
template <class Sum>
void add_row(Sum* sums, const uint8_t* row, int64_t values, Sum weight) {
#ifdef DL_IMAGES_X86
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (avx2) return add_row_avx2(sums, row, values, weight);
#endif
  add_row_plain(sums, row, values, weight);
}

/// floor(dividend / divisor + 1/2), by a product with the reciprocal that is then put right.
uint8_t rounded_quotient(uint64_t dividend, uint64_t divisor, double reciprocal) {
  auto quotient = static_cast<int64_t>(static_cast<double>(dividend) * reciprocal + 0.5);
  const int64_t rest = static_cast<int64_t>(2 * dividend + divisor) - static_cast<int64_t>(2 * divisor) * quotient;
  quotient += (rest >= static_cast<int64_t>(2 * divisor)) - (rest < 0);
  return static_cast<uint8_t>(quotient);
}

uint64_t largest_sum(const Axis& axis) { return *std::max_element(axis.sum.begin(), axis.sum.end()); }

}  // namespace

Axis::Axis(int64_t inputs, int64_t outputs) : inputs(inputs), outputs(outputs) {
  const int64_t divisor = std::gcd(inputs, outputs);
  const int64_t a = inputs / divisor, b = outputs / divisor, support = 2 * std::max(a, b);
  begin.push_back(0);
  for (int64_t i = 0; i < outputs; ++i) {
    const int64_t centre = (2 * i + 1) * a;
    // The inputs whose distance from the centre is below the support: |(2j + 1) b - centre| < support.
    int64_t j = std::max<int64_t>(0, (centre - support) / (2 * b) - 1);
    const auto weight_of = [&](int64_t input) { return support - std::abs((2 * input + 1) * b - centre); };
    while (weight_of(j) <= 0) ++j;
    first.push_back(j);
    uint64_t total = 0;
    for (; j < inputs && weight_of(j) > 0; ++j) {
      weight.push_back(static_cast<uint32_t>(weight_of(j)));
      total += static_cast<uint64_t>(weight_of(j));
    }
    begin.push_back(static_cast<int64_t>(weight.size()));
    sum.push_back(total);
  }
}

Resizer::Resizer(int64_t in_width, int64_t in_height, int64_t out_width, int64_t out_height, int64_t channels, uint8_t* result)
    : x_(in_width, out_width),
      y_(in_height, out_height),
      channels_(channels),
      row_values_(in_width * channels),
      result_(result),
      narrow_(largest_sum(y_) * kLargestValue <= std::numeric_limits<uint32_t>::max()) {
  // Twice the largest sum and a rounding must fit a signed number.
  const double largest = 2.0 * static_cast<double>(largest_sum(x_)) * static_cast<double>(largest_sum(y_)) * (kLargestValue + 2);
  if (largest >= 0x1p63) {
    throw Error(Reason::kInvalidArgument,
                "an image of " + std::to_string(in_width) + " x " + std::to_string(in_height) + " pixels cannot be brought to " +
                    std::to_string(out_width) + " x " + std::to_string(out_height),
                {{"argument", "target"}});
  }
  if (out_height > in_height) {
    previous_.resize(static_cast<size_t>(row_values_));
    sums64_.resize(static_cast<size_t>(row_values_));
    return;
  }
  for (int64_t y = 0; y < out_height; ++y) {
    int64_t last = y;
    while (last + 1 < out_height && y_.first[static_cast<size_t>(last + 1)] <= y_.first[static_cast<size_t>(y)] +
                                                                                   y_.begin[static_cast<size_t>(y + 1)] -
                                                                                   y_.begin[static_cast<size_t>(y)] - 1) {
      ++last;
    }
    slots_ = std::max(slots_, last - y + 1);
  }
  if (narrow_) {
    sums32_.resize(static_cast<size_t>(slots_ * row_values_));
  } else {
    sums64_.resize(static_cast<size_t>(slots_ * row_values_));
  }
}

void Resizer::push(const uint8_t* row) {
  if (x_.inputs == x_.outputs && y_.inputs == y_.outputs) {
    std::memcpy(result_ + row_ * row_values_, row, static_cast<size_t>(row_values_));
  } else if (y_.outputs > y_.inputs) {
    interpolate(row);
  } else if (narrow_) {
    accumulate(sums32_, row);
  } else {
    accumulate(sums64_, row);
  }
  ++row_;
}

template <class Sum>
void Resizer::accumulate(std::vector<Sum>& sums, const uint8_t* row) {
  for (int64_t y = next_; y < y_.outputs && y_.first[static_cast<size_t>(y)] <= row_; ++y) {
    const int64_t from = y_.begin[static_cast<size_t>(y)], tap = row_ - y_.first[static_cast<size_t>(y)];
    Sum* slot = sums.data() + (y % slots_) * row_values_;
    if (tap == 0) std::fill_n(slot, row_values_, Sum{0});
    add_row<Sum>(slot, row, row_values_, y_.weight[static_cast<size_t>(from + tap)]);
    if (from + tap + 1 < y_.begin[static_cast<size_t>(y + 1)]) continue;
    finish(y, slot);
    next_ = y + 1;
  }
}

/// Where the height grows, an output row has one or two input rows.
void Resizer::interpolate(const uint8_t* row) {
  for (; next_ < y_.outputs; ++next_) {
    const auto y = static_cast<size_t>(next_);
    const int64_t from = y_.begin[y], count = y_.begin[y + 1] - from;
    if (y_.first[y] + count - 1 > row_) break;
    std::fill(sums64_.begin(), sums64_.end(), 0);
    for (int64_t tap = 0; tap < count; ++tap) {
      const bool newest = y_.first[y] + tap == row_;
      add_row<uint64_t>(sums64_.data(), newest ? row : previous_.data(), row_values_, y_.weight[static_cast<size_t>(from + tap)]);
    }
    finish(next_, sums64_.data());
  }
  std::memcpy(previous_.data(), row, static_cast<size_t>(row_values_));
}

template <class Sum>
void Resizer::finish(int64_t y, const Sum* sums) {
  uint8_t* result = result_ + y * x_.outputs * channels_;
  const uint64_t column = y_.sum[static_cast<size_t>(y)];
  for (int64_t x = 0; x < x_.outputs; ++x) {
    const auto i = static_cast<size_t>(x);
    const uint64_t divisor = column * x_.sum[i];
    const double reciprocal = 1.0 / static_cast<double>(divisor);
    const Sum* pixel = sums + x_.first[i] * channels_;
    uint64_t dividend[3] = {0, 0, 0};
    for (int64_t tap = x_.begin[i]; tap < x_.begin[i + 1]; ++tap, pixel += channels_) {
      const uint64_t weight = x_.weight[static_cast<size_t>(tap)];
      for (int64_t c = 0; c < channels_; ++c) dividend[c] += weight * pixel[c];
    }
    for (int64_t c = 0; c < channels_; ++c) *result++ = rounded_quotient(dividend[c], divisor, reciprocal);
  }
}

}  // namespace dl::images
