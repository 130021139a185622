// Activations and gradients that are written past the caches. Included by variant.cpp inside the variant's own namespace.
//
// A line of the cache that is written in the usual way is read from memory first. With tiles a layer is computed in less time than
// its output takes to get to memory, and outputs do not fit into the caches near a processor: a line is then better written as a
// whole and sent away.

#if defined(__AMX_BF16__)

/// Values of bfloat16 in a line.
constexpr int64_t kLineValues = 2 * kLanes;

/// Whether rows of so many values that lie side by side from `to` on are whole lines.
inline bool are_lines(const Bfloat16* to, int64_t width) {
  return width % kLineValues == 0 && reinterpret_cast<uintptr_t>(to) % (kLineValues * sizeof(Bfloat16)) == 0;
}

/// Rounds and writes a line.
[[gnu::always_inline]] inline void write_line_past_caches(Bfloat16* to, Vector low, Vector high) {
  const __m512bh line = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(high), reinterpret_cast<__m512>(low));
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), reinterpret_cast<__m512i>(line));
}

inline bool is_line(const float* to) { return reinterpret_cast<uintptr_t>(to) % sizeof(Vector) == 0; }
[[gnu::always_inline]] inline void write_line_past_caches(float* to, Vector line) {
  _mm512_stream_ps(to, reinterpret_cast<__m512>(line));
}

/// What was written so is seen by other threads before what is written after this.
inline void finish_lines_past_caches() { _mm_sfence(); }

#endif
