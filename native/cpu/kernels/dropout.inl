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
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < layout.images; ++n) {
    for (int64_t s = 0; s < spatial; ++s) {
      const int64_t begin = ((n + images_before) * spatial + s) * channels, end = begin + channels;
      const auto place = [&](int64_t channel) { return ((n * blocks + channel / block) * spatial + s) * block + channel % block; };
      uint32_t words[kLanes * 4];
      for (int64_t i = begin / 4 * 4; i < end; i += kLanes * 4) {
        philox_words(static_cast<uint64_t>(i / 4), stream, static_cast<uint32_t>(step), key, words);
        // Channels of a group lie side by side.
        int64_t first = std::max(i, begin);
        for (const int64_t last = std::min(i + kLanes * 4, end); first < last;) {
          const int64_t channel = first - begin, count = std::min(last - first, block - channel % block);
          const T* from = x + place(channel);
          T* to = y + place(channel);
          const uint32_t* word = words + first - i;
#pragma omp simd
          for (int64_t k = 0; k < count; ++k) {
            const float value = load(from[k]) * scale;
            store(to[k], word[k] < dropped ? 0.0f : value);
          }
          first += count;
        }
      }
      for (int64_t c = channels; c < layout.padded_channels(); ++c) store(y[place(c)], 0.0f);
    }
  }
}
