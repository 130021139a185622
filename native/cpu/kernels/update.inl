// The solvers' steps over all parameters, each in one pass. Included by variant.cpp inside the variant's own namespace.

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

inline void sgd_update(std::span<const ParameterSegment> segments, const SgdUpdate& job) {
  const auto count = static_cast<int64_t>(segments.size());
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) {
    const ParameterSegment& segment = segments[static_cast<size_t>(i)];
    if (segment.frozen) continue;
    const float prior = segment.regularized ? job.weight_prior : 0.0f;
    const float keep = segment.regularized ? job.keep : 1.0f;
    const float learning_rate = job.learning_rate, momentum = job.momentum;
    const float* g = job.gradients + segment.offset;
    float* w = job.values + segment.offset;
    float* v = job.velocities + segment.offset;
#pragma omp simd
    for (int64_t k = 0; k < segment.length; ++k) {
      v[k] = momentum * v[k] - learning_rate * (g[k] + prior * w[k]);
      w[k] = keep * w[k] + v[k];
    }
  }
}

inline void adam_update(std::span<const ParameterSegment> segments, const AdamUpdate& job) {
  const auto count = static_cast<int64_t>(segments.size());
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) {
    const ParameterSegment& segment = segments[static_cast<size_t>(i)];
    if (segment.frozen) continue;
    const float prior = segment.regularized ? job.weight_prior : 0.0f;
    const float keep = segment.regularized ? job.keep : 1.0f;
    const float step = job.step[static_cast<size_t>(segment.tensor)], root = job.root[static_cast<size_t>(segment.tensor)];
    const float scale = job.gradient_scale, epsilon = job.epsilon;
    const float toward_g = job.one_minus_beta1, toward_square = job.one_minus_beta2;
    const float* gradients = job.gradients + segment.offset;
    float* w = job.values + segment.offset;
    float* m = job.first_moments + segment.offset;
    float* v = job.second_moments + segment.offset;
#pragma omp simd
    for (int64_t k = 0; k < segment.length; ++k) {
      const float g = scale * (gradients[k] + prior * w[k]);
      // Written as a way towards the new value, so that a rounded beta does not shift the mean; v stays at 0 or above.
      m[k] += toward_g * (g - m[k]);
      v[k] += toward_square * (g * g - v[k]);
      w[k] = keep * w[k] - step * m[k] / (std::sqrt(v[k]) * root + epsilon);
    }
  }
}
