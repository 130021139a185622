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

/// A vector of y from its sums; `to`: where y lies.
template <class T>
[[gnu::always_inline]] inline Vector finish(const OutputStage& stage, Vector sum, int64_t channel, const T* to) {
  if (stage.bias) sum += load_vector(stage.bias + channel);
  if (stage.adds) sum += VectorPack::load(to);
  return stage.activation.present ? clip(sum, bounds(stage.activation)) : sum;
}
