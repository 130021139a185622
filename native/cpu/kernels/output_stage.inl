// What convolutions and batch norms do to their values last. Included by variant.cpp inside the variant's own namespace.

struct Bounds {
  float lower, upper;
};

[[gnu::always_inline]] inline Bounds bounds(const Activation& activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return activation.present ? Bounds{0, activation.upper} : Bounds{-kInfinity, kInfinity};
}

/// What is not a number stays so.
[[gnu::always_inline]] inline Vector clip(Vector value, const Bounds& bound) {
  const Vector lower = broadcast(bound.lower), upper = broadcast(bound.upper);
  value = lower > value ? lower : value;
  return upper < value ? upper : value;
}

/// The same of one value.
[[gnu::always_inline]] inline float clip(float value, const Bounds& bound) {
  value = bound.lower > value ? bound.lower : value;
  return bound.upper < value ? bound.upper : value;
}

/// A vector of y from its sums; `to`: where y lies.
template <class T>
[[gnu::always_inline]] inline Vector finish(const OutputStage& stage, Vector sum, int64_t channel, const T* to) {
  if (stage.bias) sum += load_vector(stage.bias + channel);
  if (stage.adds) sum += VectorPack::load(to);
  return stage.activation.present ? clip(sum, bounds(stage.activation)) : sum;
}

/// One value of y; `present`: what y holds.
template <class T>
[[gnu::always_inline]] inline float finish_value(const OutputStage& stage, float sum, int64_t channel, T present) {
  if (stage.bias) sum += stage.bias[channel];
  if (stage.adds) sum += load(present);
  return stage.activation.present ? clip(sum, bounds(stage.activation)) : sum;
}
