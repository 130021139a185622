// The optimiser's step over all parameters. Included by variant.cpp inside the variant's own namespace.

inline UpdateNorms update_norms(std::span<const ParameterSegment> segments, const float* gradients, const float* values,
                                float weight_prior, double* partial) {
  const auto count = static_cast<int64_t>(segments.size());
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) {
    const ParameterSegment& segment = segments[static_cast<size_t>(i)];
    const float prior = segment.regularized ? weight_prior : 0.0f;
    // A frozen layer has no gradient, but a part in E: its weights stand in for a gradient that is not counted.
    const float* w = values + segment.offset;
    const float* g = segment.frozen ? w : gradients + segment.offset;
    double squared_gradient = 0, squared_weight = 0;
    for (int64_t done = 0; done < segment.length; done += 256) {
      const int64_t end = std::min(done + 256, segment.length);
      float gradient_sum = 0, weight_sum = 0;
#pragma omp simd reduction(+ : gradient_sum, weight_sum)
      for (int64_t k = done; k < end; ++k) {
        const float total = g[k] + prior * w[k];
        gradient_sum += total * total;
        weight_sum += w[k] * w[k];
      }
      squared_gradient += static_cast<double>(gradient_sum);
      squared_weight += static_cast<double>(weight_sum);
    }
    partial[2 * i] = segment.frozen ? 0 : squared_gradient;
    partial[2 * i + 1] = segment.regularized ? squared_weight : 0;
  }
  UpdateNorms norms;
  for (int64_t i = 0; i < count; ++i) {
    norms.squared_gradient_norm += partial[2 * i];
    norms.squared_weight_norm += partial[2 * i + 1];
  }
  return norms;
}

inline void update(std::span<const ParameterSegment> segments, const float* gradients, float* values, float* velocities,
                   float learning_rate, float momentum, float weight_prior) {
  const auto count = static_cast<int64_t>(segments.size());
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) {
    const ParameterSegment& segment = segments[static_cast<size_t>(i)];
    if (segment.frozen) continue;
    const float prior = segment.regularized ? weight_prior : 0.0f;
    const float* g = gradients + segment.offset;
    float* w = values + segment.offset;
    float* v = velocities + segment.offset;
#pragma omp simd
    for (int64_t k = 0; k < segment.length; ++k) {
      v[k] = momentum * v[k] - learning_rate * (g[k] + prior * w[k]);
      w[k] += v[k];
    }
  }
}
