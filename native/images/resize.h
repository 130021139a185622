#pragma once

#include <cstdint>
#include <vector>

namespace dl::images {

/// What one axis of a resized image is made of: output i is the mean of the inputs first[i] .. first[i] + weights of i - 1,
/// weighted.
///
/// From n inputs to m outputs, with a = n / gcd(n, m) and b = m / gcd(n, m), input j enters output i with the weight
///
///     w(i, j) = max(0, 2 max(a, b) - |(2j + 1) b - (2i + 1) a|)
///
/// which is the triangle of bilinear interpolation around the output's centre, as wide as an input pixel where the image grows
/// and as an output pixel where it shrinks, in whole numbers. Beyond the border there is nothing: the weights that are left make
/// the mean.
struct Axis {
  Axis(int64_t inputs, int64_t outputs);

  int64_t inputs;
  int64_t outputs;
  std::vector<int64_t> first;    // (outputs)
  std::vector<int64_t> begin;    // (outputs + 1) where each output's weights begin
  std::vector<uint32_t> weight;  // of all outputs, one after the other
  std::vector<uint64_t> sum;     // (outputs) of each output's weights
};

/// Resizes an image row by row:
///
///     result(y, x) = floor(S / D + 1/2),  S = sum over j, i of w(y, j) w(x, i) g(j, i),  D = sum w(y, .) * sum w(x, .)
///
/// S and D are whole numbers and exact, so that the result is that of the formula, on every machine. Memory: three rows of sums,
/// or two rows of pixels where the height grows.
class Resizer {
 public:
  /// `result` (height, width, channels) of the output; 1 or 3 channels. Throws kInvalidArgument for sizes whose sums exceed 64
  /// bits, which no image within Limits has that is brought to 8 x 8 pixels or more.
  Resizer(int64_t in_width, int64_t in_height, int64_t out_width, int64_t out_height, int64_t channels, uint8_t* result);

  /// The next row, top to bottom.
  void push(const uint8_t* row);

 private:
  template <class Sum>
  void accumulate(std::vector<Sum>& sums, const uint8_t* row);
  void interpolate(const uint8_t* row);
  template <class Sum>
  void finish(int64_t y, const Sum* sums);

  const Axis x_;
  const Axis y_;
  const int64_t channels_;
  const int64_t row_values_;
  uint8_t* const result_;
  const bool narrow_;  // whether a column's sum fits 32 bits
  int64_t row_ = 0;    // rows pushed
  int64_t next_ = 0;   // first output row that is not complete
  int64_t slots_ = 0;  // output rows that are under way at a time
  std::vector<uint32_t> sums32_;
  std::vector<uint64_t> sums64_;
  std::vector<uint8_t> previous_;
};

}  // namespace dl::images
