// Fully connected layers, forward. Included by variant.cpp inside the variant's own namespace.
//
// Weights are most of what is read, and are read once, in their order. A few images are multiplied with a row of weights at a
// time; more are columns of a product (kernels/tap_product.inl) whose rows are the weights: y^T = W * x^T.

constexpr int64_t kFewImages = 4;

inline TapGrid transposed_grid(const FullyConnectedForward& job) {
  return {.in = {1, job.in, 1, job.out, Order::kNhwc},
          .out = {1, job.images, 1, job.out, Order::kNhwc},
          .height = 1,
          .width = job.out,
          .in_step_y = 1,
          .in_step_x = 1,
          .out_step_y = 1,
          .out_step_x = 1,
          .out_first_y = 0,
          .out_first_x = 0};
}

/// The only tap there is.
constexpr Tap kOnlyTap{0, 0};

inline int64_t fully_connected_scratch(const FullyConnectedForward& job) {
  if (job.images <= kFewImages) return 0;
  const TapGrid grid = transposed_grid(job);
  const std::span<const Tap> taps(&kOnlyTap, 1);
  return round_up(tap_filter_values(grid, taps), kLine) + round_up(job.images * job.out, kLine) +
         tap_product_scratch(grid, taps, job.threads);
}

/// Output `out` of kImages images.
template <int kImages>
void multiply_weights_row(const FullyConnectedForward& job, int64_t first_image, int64_t out) {
  constexpr int kChains = 4;  // sums side by side: additions take their time
  const float* weights = job.weights + out * job.in;
  const float* x = job.x + first_image * job.in;
  Vector sums[kImages][kChains];
  set_to_zero(sums);
  int64_t i = 0;
  for (; i + kChains * kLanes <= job.in; i += kChains * kLanes) {
    ask_ahead(weights + i, kChains * kLanes);
#pragma GCC unroll 4
    for (int k = 0; k < kChains; ++k) {
      const Vector w = load_vector(weights + i + k * kLanes);
#pragma GCC unroll 4
      for (int n = 0; n < kImages; ++n) sums[n][k] += w * load_vector(x + n * job.in + i + k * kLanes);
    }
  }
  for (int n = 0; n < kImages; ++n) {
    const Vector lanes = (sums[n][0] + sums[n][1]) + (sums[n][2] + sums[n][3]);
    float sum = job.bias ? job.bias[out] : 0.0f;
    for (int64_t rest = i; rest < job.in; ++rest) sum += weights[rest] * x[n * job.in + rest];
    for (int lane = 0; lane < kLanes; ++lane) sum += lanes[lane];
    job.y[(first_image + n) * job.out + out] = sum;
  }
}

template <int kImages>
void multiply_few_images(const FullyConnectedForward& job) {
  if constexpr (kImages > 0) {
    if (job.images < kImages) return multiply_few_images<kImages - 1>(job);
#pragma omp parallel for num_threads(static_cast<int>(job.threads)) schedule(static)
    for (int64_t out = 0; out < job.out; ++out) multiply_weights_row<kImages>(job, 0, out);
  }
}

inline void fully_connected_forward(const FullyConnectedForward& job) {
  if (job.images <= kFewImages) return multiply_few_images<kFewImages>(job);
  const TapGrid grid = transposed_grid(job);
  const std::span<const Tap> taps(&kOnlyTap, 1);
  const int64_t filter_tap = 0;
  float* columns = job.scratch;
  float* transposed = columns + round_up(tap_filter_values(grid, taps), kLine);
  tap_filters({.columns = job.images,
               .depth = job.in,
               .taps_in_all = 1,
               .taps = taps,
               .filter_taps = {&filter_tap, 1},
               .weights = job.x,
               .data_gradient = false,
               .packed = columns});
  tap_product({.grid = grid,
               .taps = taps,
               .threads = job.threads,
               .x = job.weights,
               .filters = columns,
               .stage = {},
               .y = transposed,
               .scratch = transposed + round_up(job.images * job.out, kLine)});
#pragma omp parallel for num_threads(static_cast<int>(job.threads)) schedule(static)
  for (int64_t n = 0; n < job.images; ++n) {
    for (int64_t out = 0; out < job.out; ++out)
      job.y[n * job.out + out] = transposed[out * job.images + n] + (job.bias ? job.bias[out] : 0.0f);
  }
}

constexpr FullyConnectedKernels kFullyConnected = {.scratch = fully_connected_scratch, .forward = fully_connected_forward};
