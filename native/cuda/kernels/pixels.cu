#include "cuda/kernels/arithmetic/vector8.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {
namespace {

constexpr int kMostChannels = 8;

DL_HOST_DEVICE float image_value(uint8_t g) { return static_cast<float>(g) - 127.0f; }
DL_HOST_DEVICE float image_value(float v) { return v; }

/// A block brings its pixels into shared memory, 16 bytes at a time, then a thread converts one pixel at a time.
template <class T, class Pixel>
struct ConversionProgram {
  static constexpr int kThreads = 256;
  static constexpr int kBlocks = 4;
  static constexpr int kPhases = 2;
  static constexpr int kPixels = sizeof(Pixel) == 1 ? 1024 : 256;  // of a block
  using State = Nothing;
  struct alignas(16) Shared {
    Pixel values[kPixels * kMostChannels];
  };

  PixelConversion<T> job;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared& shared, State&) const {
    const int64_t first = place.block * kPixels, left = job.pixels - first;
    const int pixels = static_cast<int>(left < kPixels ? left : kPixels);
    if constexpr (kPhase == 0) {
      constexpr int kUnit = 16 / sizeof(Pixel);
      const Pixel* values = static_cast<const Pixel*>(job.values) + first * job.channels;
      const int count = pixels * job.channels;
      const bool units_fit = is_aligned(job.values);
      for (int unit = place.thread * kUnit; unit < count; unit += kThreads * kUnit) {
        if (units_fit && unit + kUnit <= count) {
          copy16(values + unit, shared.values + unit);
        } else {
          for (int i = unit; i < count && i < unit + kUnit; ++i) shared.values[i] = values[i];
        }
      }
    } else {
      float scale[kMostChannels], shift[kMostChannels];
      DL_UNROLL
      for (int c = 0; c < kMostChannels; ++c) {
        scale[c] = c < job.channels ? job.scale[c] : 0.0f;
        shift[c] = c < job.channels ? job.shift[c] : 0.0f;
      }
      for (int pixel = place.thread; pixel < pixels; pixel += kThreads) {
        float y[kVector];
        DL_UNROLL
        for (int c = 0; c < kVector; ++c) {
          y[c] = c < job.channels ? image_value(shared.values[pixel * job.channels + c]) * scale[c] + shift[c] : 0.0f;
        }
        write(y, job.y + (first + pixel) * job.padded_channels);
      }
    }
  }

 private:
  DL_HOST_DEVICE static void copy16(const Pixel* from, Pixel* to) {
#if defined(__CUDA_ARCH__)
    *reinterpret_cast<uint4*>(to) = __ldcs(reinterpret_cast<const uint4*>(from));
#else
    std::memcpy(to, from, 16);
#endif
  }

  /// In one piece where the padded channels are 8 or, in bfloat16, 4.
  DL_HOST_DEVICE void write(const float (&y)[kVector], T* to) const {
    if (job.padded_channels == kVector && is_aligned(job.y)) {
      store8<true>(to, kVector, y);
    } else if (job.padded_channels * sizeof(T) == sizeof(uint64_t) && is_aligned(job.y)) {
      Vector8<T> vector;
      pack(y, vector);
      *reinterpret_cast<uint64_t*>(to) = vector.words[0] | static_cast<uint64_t>(vector.words[1]) << 32;
    } else {
      DL_UNROLL
      for (int c = 0; c < kVector; ++c) {
        if (c < job.padded_channels) store(to[c], y[c]);
      }
    }
  }

  DL_HOST_DEVICE static bool is_aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % kAlignment == 0; }
};

template <class Pixel, class T>
cudaError_t start(const Launch& on, const PixelConversion<T>& job) {
  const bool channels_fit = 0 < job.channels && job.channels <= job.padded_channels && job.padded_channels <= kMostChannels;
  if (!channels_fit) return cudaErrorInvalidValue;
  using Program = ConversionProgram<T, Pixel>;
  return launch(on, blocks_for(job.pixels, Program::kPixels), Program{job});
}

}  // namespace

template <class T>
cudaError_t convert_uint8(const Launch& on, const PixelConversion<T>& job) {
  return start<uint8_t>(on, job);
}
template <class T>
cudaError_t convert_float(const Launch& on, const PixelConversion<T>& job) {
  return start<float>(on, job);
}

template cudaError_t convert_uint8(const Launch&, const PixelConversion<float>&);
template cudaError_t convert_uint8(const Launch&, const PixelConversion<Bfloat16>&);
template cudaError_t convert_float(const Launch&, const PixelConversion<float>&);
template cudaError_t convert_float(const Launch&, const PixelConversion<Bfloat16>&);

}  // namespace dl::cuda
