// Where weight gradients in bfloat16 end, of pairs and of tiles. Included by variant.cpp inside the variant's own namespace.

/// Stores 16 x 16 values of a weight gradient (out, in, tap), or adds them to it: of outputs from `first_out` on and (in, tap)
/// from `first` on. They are sums of `parts`, part_values apart; row(n) is where the 16 outputs of (in, tap) n lie in the first.
template <class Row>
void join_gradient_square(const TapWeightGradient<Bfloat16>& job, int64_t first_out, int64_t first, int64_t parts,
                          int64_t part_values, const Row& row) {
  const int64_t values = job.grid.in.channels * static_cast<int64_t>(job.taps.size());
  const int64_t count = std::min<int64_t>(kLanes, values - first);
  Vector square[kLanes] = {};
  for (int64_t n = 0; n < count; ++n) {
    const float* from = row(first + n);
    for (int64_t part = 0; part < parts; ++part) square[n] += load_vector(from + part * part_values);
  }
  transpose(square);
  const __mmask16 lanes = first_lanes(count);
  float* to = job.gradient + first_out * values + first;
  for (int64_t i = 0; i < std::min<int64_t>(kLanes, job.grid.out.channels - first_out); ++i, to += values) {
    auto sums = reinterpret_cast<__m512>(square[i]);
    if (job.accumulate) sums = _mm512_add_ps(sums, _mm512_maskz_loadu_ps(lanes, to));
    _mm512_mask_storeu_ps(to, lanes, sums);
  }
}
