// Dropout. Included by variant.cpp inside the variant's own namespace.

/// The words of kLanes counters of engine/random.h's philox(): word k of counter c is words[c * 4 + k].
inline void philox_words(uint64_t first_counter, uint32_t stream, uint32_t step, std::array<uint32_t, 2> key,
                         uint32_t (&words)[kLanes * 4]) {
  typedef uint32_t Word __attribute__((vector_size(kLanes * sizeof(uint32_t))));
  typedef uint64_t Wide __attribute__((vector_size(kLanes * sizeof(uint64_t))));
  const auto low = [](uint32_t m, Word w) { return m * w; };
  const auto high = [](uint32_t m, Word w) {
    return __builtin_convertvector(__builtin_convertvector(w, Wide) * uint64_t{m} >> 32, Word);
  };
  Wide count;
  for (int lane = 0; lane < kLanes; ++lane) count[lane] = first_counter + static_cast<uint64_t>(lane);
  std::array<Word, 4> counter = {__builtin_convertvector(count, Word), __builtin_convertvector(count >> 32, Word), Word{} + stream,
                                 Word{} + step};
  for (int round = 0; round < kPhiloxRounds; ++round) {
    philox_round(counter, key, low, high);
    key = philox_next(key);
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    for (size_t k = 0; k < 4; ++k) words[static_cast<size_t>(lane) * 4 + k] = counter[k][lane];
  }
}

template <class T>
void dropout(const Layout& layout, const T* x, T* y, float probability, uint64_t seed, uint32_t stream, uint64_t step,
             int64_t images_before) {
  const auto key = philox_key(seed);
  const int64_t block = layout.block(), blocks = layout.blocks(), spatial = layout.spatial(), channels = layout.channels;
  const float scale = 1.0f / (1.0f - probability);
  // A word w keeps its value where w * 2^-32 >= probability.
  const auto dropped = static_cast<uint64_t>(std::ceil(static_cast<double>(probability) * 0x1p32));
  for_each_piece(layout, [&](int64_t first, int64_t rows, int64_t channel) {
    const int64_t width = std::min(block, channels - channel);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t position = first / block + r;  // (n * blocks + b) * spatial + s
      const int64_t n = position / (spatial * blocks), s = position % spatial;
      const int64_t begin = ((n + images_before) * spatial + s) * channels + channel, end = begin + width;
      const T* from = x + first + r * block;
      T* to = y + first + r * block;
      uint32_t words[kLanes * 4];
      for (int64_t i = begin / 4 * 4; i < end; i += kLanes * 4) {
        philox_words(static_cast<uint64_t>(i / 4), stream, static_cast<uint32_t>(step), key, words);
        const int64_t first_value = std::max(i, begin), last_value = std::min(i + kLanes * 4, end);
#pragma omp simd
        for (int64_t k = first_value; k < last_value; ++k) {
          const float value = load(from[k - begin]) * scale;
          store(to[k - begin], words[k - i] < dropped ? 0.0f : value);
        }
      }
      for (int64_t c = width; c < block; ++c) store(to[c], 0.0f);
    }
  });
}
