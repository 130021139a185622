// The transforms of Winograd's minimal filtering F(m x m, r x r) for vectors of channels. Included by variant.cpp inside the
// variant's own namespace.
//
//   y = A^T [(G g G^T) * (B^T d B)] A         d: n x n inputs, n = m + r - 1, g: r x r filter, y: m x m outputs; over channels
//   dg = G^T [(A dy A^T) * (B^T d B)] G       summed over all tiles of the batch
//
// m = 2, r = 3, points 0, 1, -1, infinity; the factors are exact in binary, so that the only rounding is that of the additions:
//
//         | 1  0 -1  0 |        | 1    0    0   |        | 1  1  1  0 |
//   B^T = | 0  1  1  0 |    G = | 1/2  1/2  1/2 |  A^T = | 0  1 -1 -1 |
//         | 0 -1  1  0 |        | 1/2 -1/2  1/2 |
//         | 0  1  0 -1 |        | 0    0    1   |
//
// m = 4, r = 3, points 0, 1, -1, 2, -2, infinity:
//
//         | 4  0 -5  0  1  0 |        |  1/4    0     0  |
//         | 0 -4 -4  1  1  0 |        | -1/6  -1/6  -1/6 |        | 1  1  1  1  1  0 |
//   B^T = | 0  4 -4 -1  1  0 |    G = | -1/6   1/6  -1/6 |  A^T = | 0  1 -1  2 -2  0 |
//         | 0 -2 -1  2  1  0 |        | 1/24  1/12   1/6 |        | 0  1  1  4  4  0 |
//         | 0  2 -1 -2  1  0 |        | 1/24 -1/12   1/6 |        | 0  1 -1  8 -8  1 |
//         | 0  4  0 -5  0  1 |        |   0     0     1  |
//
// m = 4, r = 5, points 0, 1, -1, 2, -2, 1/2, -1/2, infinity. Rows of a point p: G has (1, p, .. p^4) times the factor on the
// right, columns of A^T are (1, p, p^2, p^3); 0 and infinity have the first and the last value alone.
//
//         | 1    0   -21/4    0    21/4    0   -1  0 |
//         | 0    1     1   -17/4  -17/4    1    1  0 |  p = 1      -2/9
//         | 0   -1     1    17/4  -17/4   -1    1  0 |     -1      -2/9
//   B^T = | 0   1/2   1/4   -5/2   -5/4    2    1  0 |      2      1/90
//         | 0  -1/2   1/4    5/2   -5/4   -2    1  0 |     -2      1/90
//         | 0    2     4    -5/2    -5    1/2   1  0 |      1/2   32/45
//         | 0   -2     4     5/2    -5   -1/2   1  0 |     -1/2   32/45
//         | 0   -1     0    21/4     0  -21/4   0  1 |
//
// A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2015).

/// The transforms of one dimension, in place.
template <int kOutputs, int kFilter>
struct Filtering {
  static constexpr int kOut = kOutputs;
  static constexpr int kTaps = kFilter;
  static constexpr int kIn = kOut + kTaps - 1;
};

struct Filtering2x3 : Filtering<2, 3> {
  [[gnu::always_inline]] static void input(Vector (&v)[kIn]) {
    const Vector d0 = v[0], d1 = v[1], d2 = v[2], d3 = v[3];
    v[0] = d0 - d2, v[1] = d1 + d2, v[2] = d2 - d1, v[3] = d1 - d3;
  }
  [[gnu::always_inline]] static void output(Vector (&v)[kIn]) {
    const Vector sum = v[1] + v[2], difference = v[1] - v[2];
    v[0] += sum, v[1] = difference - v[3];
  }
  [[gnu::always_inline]] static void output_gradient(Vector (&v)[kIn]) {
    const Vector a = v[0], b = v[1];
    v[1] = a + b, v[2] = a - b, v[3] = -b;
  }
  [[gnu::always_inline]] static void filter(Vector (&v)[kIn]) {
    const Vector ends = 0.5f * (v[0] + v[2]), middle = 0.5f * v[1];
    v[3] = v[2], v[1] = ends + middle, v[2] = ends - middle;
  }
  [[gnu::always_inline]] static void filter_gradient(Vector (&v)[kIn]) {
    const Vector sum = 0.5f * (v[1] + v[2]), difference = 0.5f * (v[1] - v[2]);
    v[0] += sum, v[1] = difference, v[2] = sum + v[3];
  }
};

struct Filtering4x3 : Filtering<4, 3> {
  [[gnu::always_inline]] static void input(Vector (&v)[kIn]) {
    const Vector even = v[4] - 4.0f * v[2], odd = v[3] - 4.0f * v[1];
    const Vector even2 = v[4] - v[2], odd2 = 2.0f * (v[3] - v[1]);
    v[0] = 4.0f * (v[0] - v[2]) + even2;
    v[5] = v[5] - v[3] - 2.0f * odd2;
    v[1] = even + odd, v[2] = even - odd, v[3] = even2 + odd2, v[4] = even2 - odd2;
  }
  [[gnu::always_inline]] static void output(Vector (&v)[kIn]) {
    const Vector sum = v[1] + v[2], difference = v[1] - v[2], sum2 = v[3] + v[4], difference2 = v[3] - v[4];
    v[0] += sum + sum2, v[1] = difference + 2.0f * difference2, v[2] = sum + 4.0f * sum2;
    v[3] = difference + 8.0f * difference2 + v[5];
  }
  [[gnu::always_inline]] static void output_gradient(Vector (&v)[kIn]) {
    const Vector even = v[0] + v[2], odd = v[1] + v[3];
    const Vector even2 = v[0] + 4.0f * v[2], odd2 = 2.0f * v[1] + 8.0f * v[3];
    v[5] = v[3], v[1] = even + odd, v[2] = even - odd, v[3] = even2 + odd2, v[4] = even2 - odd2;
  }
  [[gnu::always_inline]] static void filter(Vector (&v)[kIn]) {
    const Vector ends = (-1.0f / 6) * (v[0] + v[2]), middle = (-1.0f / 6) * v[1];
    const Vector ends2 = (1.0f / 24) * v[0] + (1.0f / 6) * v[2], middle2 = (1.0f / 12) * v[1];
    v[0] *= 0.25f, v[5] = v[2];
    v[1] = ends + middle, v[2] = ends - middle, v[3] = ends2 + middle2, v[4] = ends2 - middle2;
  }
  [[gnu::always_inline]] static void filter_gradient(Vector (&v)[kIn]) {
    const Vector sum = (1.0f / 6) * (v[1] + v[2]), difference = (1.0f / 6) * (v[1] - v[2]);
    const Vector sum2 = v[3] + v[4], difference2 = v[3] - v[4];
    v[0] = 0.25f * v[0] - sum + (1.0f / 24) * sum2;
    v[1] = (1.0f / 12) * difference2 - difference;
    v[2] = (1.0f / 6) * sum2 - sum + v[5];
  }
};

struct Filtering4x5 : Filtering<4, 5> {
  [[gnu::always_inline]] static void input(Vector (&v)[kIn]) {
    const Vector even = v[2] + v[6] - 4.25f * v[4], odd = v[1] + v[5] - 4.25f * v[3];
    const Vector even2 = v[6] + 0.25f * v[2] - 1.25f * v[4], odd2 = 0.5f * v[1] - 2.5f * v[3] + 2.0f * v[5];
    const Vector even_half = v[6] + 4.0f * v[2] - 5.0f * v[4], odd_half = 2.0f * v[1] - 2.5f * v[3] + 0.5f * v[5];
    v[0] = v[0] - v[6] + 5.25f * (v[4] - v[2]);
    v[7] = v[7] - v[1] + 5.25f * (v[3] - v[5]);
    v[1] = even + odd, v[2] = even - odd, v[3] = even2 + odd2, v[4] = even2 - odd2;
    v[5] = even_half + odd_half, v[6] = even_half - odd_half;
  }
  [[gnu::always_inline]] static void output(Vector (&v)[kIn]) {
    const Vector sum = v[1] + v[2], difference = v[1] - v[2], sum2 = v[3] + v[4], difference2 = v[3] - v[4];
    const Vector sum_half = v[5] + v[6], difference_half = v[5] - v[6];
    v[0] += sum + sum2 + sum_half, v[1] = difference + 2.0f * difference2 + 0.5f * difference_half;
    v[2] = sum + 4.0f * sum2 + 0.25f * sum_half, v[3] = difference + 8.0f * difference2 + 0.125f * difference_half + v[7];
  }
  [[gnu::always_inline]] static void output_gradient(Vector (&v)[kIn]) {
    const Vector even = v[0] + v[2], odd = v[1] + v[3];
    const Vector even2 = v[0] + 4.0f * v[2], odd2 = 2.0f * v[1] + 8.0f * v[3];
    const Vector even_half = v[0] + 0.25f * v[2], odd_half = 0.5f * v[1] + 0.125f * v[3];
    v[7] = v[3], v[1] = even + odd, v[2] = even - odd, v[3] = even2 + odd2, v[4] = even2 - odd2;
    v[5] = even_half + odd_half, v[6] = even_half - odd_half;
  }
  [[gnu::always_inline]] static void filter(Vector (&v)[kIn]) {
    const Vector even = (-2.0f / 9) * (v[0] + v[2] + v[4]), odd = (-2.0f / 9) * (v[1] + v[3]);
    const Vector even2 = (1.0f / 90) * (v[0] + 4.0f * v[2] + 16.0f * v[4]), odd2 = (1.0f / 45) * (v[1] + 4.0f * v[3]);
    const Vector even_half = (32.0f / 45) * (v[0] + 0.25f * v[2] + 0.0625f * v[4]);
    const Vector odd_half = (16.0f / 45) * (v[1] + 0.25f * v[3]);
    v[7] = v[4], v[1] = even + odd, v[2] = even - odd, v[3] = even2 + odd2, v[4] = even2 - odd2;
    v[5] = even_half + odd_half, v[6] = even_half - odd_half;
  }
  [[gnu::always_inline]] static void filter_gradient(Vector (&v)[kIn]) {
    const Vector sum = (-2.0f / 9) * (v[1] + v[2]), difference = (-2.0f / 9) * (v[1] - v[2]);
    const Vector sum2 = (1.0f / 90) * (v[3] + v[4]), difference2 = (1.0f / 45) * (v[3] - v[4]);
    const Vector sum_half = (32.0f / 45) * (v[5] + v[6]), difference_half = (16.0f / 45) * (v[5] - v[6]);
    v[0] += sum + sum2 + sum_half;
    v[1] = difference + difference2 + difference_half;
    v[2] = sum + 4.0f * sum2 + 0.25f * sum_half;
    v[3] = difference + 4.0f * difference2 + 0.25f * difference_half;
    v[4] = sum + 16.0f * sum2 + 0.0625f * sum_half + v[7];
  }
};

/// A transform in both dimensions, of kFrom x kFrom values that load(i, j) gives to kTo x kTo that store(i, j, value) takes.
template <auto kTransform, int kFrom, int kTo, class Load, class Store>
[[gnu::always_inline]] inline void transform_tile(const Load& load, const Store& store) {
  constexpr int kIn = std::max(kFrom, kTo);
  Vector half[kTo][kFrom];
#pragma GCC unroll 8
  for (int j = 0; j < kFrom; ++j) {
    Vector column[kIn];
#pragma GCC unroll 8
    for (int i = 0; i < kFrom; ++i) column[i] = load(i, j);
    kTransform(column);
#pragma GCC unroll 8
    for (int i = 0; i < kTo; ++i) half[i][j] = column[i];
  }
#pragma GCC unroll 8
  for (int i = 0; i < kTo; ++i) {
    Vector row[kIn];
#pragma GCC unroll 8
    for (int j = 0; j < kFrom; ++j) row[j] = half[i][j];
    kTransform(row);
#pragma GCC unroll 8
    for (int j = 0; j < kTo; ++j) store(i, j, row[j]);
  }
}

/// Row kRow of what transform_tile gives, bit by bit.
template <auto kTransform, int kFrom, int kTo, int kRow, class Load, class Store>
[[gnu::always_inline]] inline void transform_tile_row(const Load& load, const Store& store) {
  constexpr int kIn = std::max(kFrom, kTo);
  Vector row[kIn];
#pragma GCC unroll 8
  for (int j = 0; j < kFrom; ++j) {
    Vector column[kIn];
#pragma GCC unroll 8
    for (int i = 0; i < kFrom; ++i) column[i] = load(i, j);
    kTransform(column);
    row[j] = column[kRow];
  }
  kTransform(row);
#pragma GCC unroll 8
  for (int j = 0; j < kTo; ++j) store(j, row[j]);
}
