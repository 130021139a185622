// Vectors of float32. Included by variant.cpp inside the variant's own namespace.

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(alignof(float)), may_alias));
typedef int32_t VectorIndex __attribute__((vector_size(kLanes * sizeof(int32_t))));

[[gnu::always_inline]] inline Vector load_vector(const float* from) { return *reinterpret_cast<const Vector*>(from); }
[[gnu::always_inline]] inline void store_vector(float* to, Vector value) { *reinterpret_cast<Vector*>(to) = value; }

/// The value in all lanes: by an instruction that loads it so. (0 + value would be an addition, as it turns -0 into 0.)
[[gnu::always_inline]] inline Vector broadcast(float value) { return value - Vector{}; }

/// kLanes neighbouring channels, or one of them: kernels written for a pack serve any number of channels.
struct VectorPack {
  static constexpr int64_t kWidth = kLanes;
  using Float = Vector;
  using Int = VectorIndex;

  static Vector load(const float* from) { return load_vector(from); }
  static Vector load(const Bfloat16* from) {
    return reinterpret_cast<Vector>(__builtin_convertvector(*reinterpret_cast<const Half*>(from), VectorIndex) << 16);
  }
  // By way of 16 bits: compilers have instructions for each half of the way, and convert value by value otherwise.
  static VectorIndex load(const uint8_t* from) {
    return __builtin_convertvector(__builtin_convertvector(*reinterpret_cast<const Bytes*>(from), Half), VectorIndex);
  }
  static void store(float* to, Vector values) { store_vector(to, values); }
  /// As cpu::store(Bfloat16&, float) does it; the processor's instruction has zeros for values below 2^-126.
  static void store(Bfloat16* to, Vector values) {
#if defined(__AVX512BF16__)
    *reinterpret_cast<Half*>(to) = reinterpret_cast<Half>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(values)));
#else
    typedef uint32_t Bits __attribute__((vector_size(kLanes * sizeof(uint32_t))));
    const Bits bits = reinterpret_cast<Bits>(values);
    const Bits rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const Bits quiet_nan = (bits >> 16) | 0x40u;
    *reinterpret_cast<Half*>(to) = __builtin_convertvector(values == values ? rounded : quiet_nan, Half);
#endif
  }
  static void store(uint8_t* to, VectorIndex values) {
    *reinterpret_cast<Bytes*>(to) = __builtin_convertvector(__builtin_convertvector(values, Half), Bytes);
  }

 private:
  typedef uint16_t Half __attribute__((vector_size(kLanes * sizeof(uint16_t)), aligned(alignof(uint16_t)), may_alias));
  typedef uint8_t Bytes __attribute__((vector_size(kLanes), aligned(1), may_alias));
};

struct ScalarPack {
  static constexpr int64_t kWidth = 1;
  using Float = float;
  using Int = int32_t;

  template <class T>
  static float load(const T* from) {
    return cpu::load(*from);
  }
  static int32_t load(const uint8_t* from) { return *from; }
  template <class T>
  static void store(T* to, float value) {
    cpu::store(*to, value);
  }
  static void store(uint8_t* to, int32_t value) { *to = static_cast<uint8_t>(value); }
};

/// Whether a block of this width, a constant or a number, is known to be packs of kLanes.
template <class Width>
constexpr bool whole_packs() {
  if constexpr (std::is_integral_v<Width>) return false;
  else return Width::value % kLanes == 0;
}

/// Calls f(first channel, pack) for the channels of a block.
template <class Width, class F>
[[gnu::always_inline]] inline void for_each_pack(Width block, const F& f) {
  const int64_t whole = block / kLanes * kLanes;
#pragma GCC unroll 8
  for (int64_t c = 0; c < whole; c += kLanes) f(c, VectorPack{});
  if constexpr (!whole_packs<Width>()) {
    for (int64_t c = whole; c < block; ++c) f(c, ScalarPack{});
  }
}

/// Lanes of two rows, those of the second counted on from kLanes: what one of them takes from both where blocks of `half` lanes off
/// the diagonal are exchanged.
constexpr std::array<int32_t, kLanes> exchanged_lanes(int half, bool second_row) {
  std::array<int32_t, kLanes> lanes{};
  for (int lane = 0; lane < kLanes; ++lane) {
    const bool high = (lane & half) != 0;
    lanes[static_cast<size_t>(lane)] = second_row ? (high ? lane + kLanes : lane + half) : (high ? lane - half + kLanes : lane);
  }
  return lanes;
}

template <int kHalf>
[[gnu::always_inline]] inline void exchange_blocks(Vector (&rows)[kLanes]) {
  // Constants: compilers otherwise put them together lane by lane, each time.
  static constexpr auto kLow = exchanged_lanes(kHalf, false), kHigh = exchanged_lanes(kHalf, true);
  const auto low = std::bit_cast<VectorIndex>(kLow), high = std::bit_cast<VectorIndex>(kHigh);
#pragma GCC unroll 16
  for (int row = 0; row < kLanes; ++row) {
    if (row & kHalf) continue;
    const Vector a = rows[row], b = rows[row + kHalf];
    rows[row] = __builtin_shuffle(a, b, low);
    rows[row + kHalf] = __builtin_shuffle(a, b, high);
  }
}

/// Exchanges rows and columns of kLanes x kLanes values: exchanges the two squares off the diagonal of ever larger blocks.
[[gnu::always_inline]] inline void transpose(Vector (&rows)[kLanes]) {
  exchange_blocks<1>(rows);
  exchange_blocks<2>(rows);
  if constexpr (kLanes > 4) exchange_blocks<4>(rows);
  if constexpr (kLanes > 8) exchange_blocks<8>(rows);
}
