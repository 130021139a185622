// Vectors of float32. Included by variant.cpp inside the variant's own namespace.

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(alignof(float)), may_alias));
typedef int32_t VectorIndex __attribute__((vector_size(kLanes * sizeof(int32_t))));

[[gnu::always_inline]] inline Vector load_vector(const float* from) { return *reinterpret_cast<const Vector*>(from); }
[[gnu::always_inline]] inline void store_vector(float* to, Vector value) { *reinterpret_cast<Vector*>(to) = value; }

/// Exchanges rows and columns of kLanes x kLanes values: exchanges the two squares off the diagonal of ever larger blocks.
[[gnu::always_inline]] inline void transpose(Vector (&rows)[kLanes]) {
#pragma GCC unroll 4
  for (int half = 1; half < kLanes; half *= 2) {
    VectorIndex low, high;  // lanes of the second row count on from kLanes
    for (int lane = 0; lane < kLanes; ++lane) {
      low[lane] = (lane & half) ? lane - half + kLanes : lane;
      high[lane] = (lane & half) ? lane + kLanes : lane + half;
    }
#pragma GCC unroll 16
    for (int row = 0; row < kLanes; ++row) {
      if (row & half) continue;
      const Vector a = rows[row], b = rows[row + half];
      rows[row] = __builtin_shuffle(a, b, low);
      rows[row + half] = __builtin_shuffle(a, b, high);
    }
  }
}
