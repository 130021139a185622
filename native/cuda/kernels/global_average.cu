#include "cuda/kernels/arithmetic/per_channel.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {
namespace {

/// A block has up to 256 channels of one image; lanes of threads share its rows.
struct ImageTiling {
  static constexpr int kThreads = 256;
  static constexpr int kSliceGroups = 32;

  int64_t images, spatial, channels;
  int64_t slices;  // of an image's channels
  int slice_groups, lanes;

  ImageTiling(int64_t images, int64_t spatial, int64_t channels) : images(images), spatial(spatial), channels(channels) {
    const int64_t groups = (channels + kVector - 1) / kVector;
    slice_groups = static_cast<int>(groups < kSliceGroups ? groups : kSliceGroups);
    slices = (groups + slice_groups - 1) / slice_groups;
    lanes = kThreads / slice_groups;
  }
  DL_HOST_DEVICE int64_t image_of(int64_t block) const { return block / slices; }
  DL_HOST_DEVICE int64_t first_channel(int64_t block) const { return block % slices * slice_groups * kVector; }
  DL_HOST_DEVICE int count(int64_t channel) const {
    const int64_t left = channels - channel;
    return static_cast<int>(left < 0 ? 0 : left < kVector ? left : kVector);
  }
};

template <class T, class Y, bool kWhole>
struct MeanProgram {
  static constexpr int kThreads = ImageTiling::kThreads;
  static constexpr int kBlocks = 4;
  static constexpr int kPhases = 2;
  using State = Nothing;
  struct Shared {
    float sums[kVector * (kThreads + 4)];
  };

  ImageTiling tiling;
  const T* x;
  Y* y;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared& shared, State&) const {
    const int64_t image = tiling.image_of(place.block), first_channel = tiling.first_channel(place.block);
    if constexpr (kPhase == 0) {
      const int lane = place.thread / tiling.slice_groups;
      const int64_t channel = first_channel + place.thread % tiling.slice_groups * kVector;
      const int count = tiling.count(channel);
      if (lane >= tiling.lanes || count == 0) return;
      float sums[kVector] = {};
      for (int64_t s = lane; s < tiling.spatial; s += tiling.lanes) {
        const Vector8<T> values = load8<kWhole, Use::kLast>(x + (image * tiling.spatial + s) * tiling.channels + channel, count);
        DL_UNROLL
        for (int c = 0; c < kVector; ++c) sums[c] += value_of(values, c);
      }
      DL_UNROLL
      for (int c = 0; c < kVector; ++c) shared.sums[c * (kThreads + 4) + place.thread] = sums[c];
    } else {
      const int64_t channel = first_channel + place.thread;
      if (place.thread >= tiling.slice_groups * kVector || channel >= tiling.channels) return;
      float sum = 0;
      for (int lane = 0; lane < tiling.lanes; ++lane) {
        sum += shared.sums[place.thread % kVector * (kThreads + 4) + lane * tiling.slice_groups + place.thread / kVector];
      }
      store(y[image * tiling.channels + channel], sum / static_cast<float>(tiling.spatial));
    }
  }
};

template <class T, bool kWhole>
struct SpreadProgram {
  static constexpr int kThreads = ImageTiling::kThreads;
  static constexpr int kBlocks = 4;
  static constexpr int kPhases = 1;
  using State = Nothing;
  using Shared = Nothing;

  ImageTiling tiling;
  const T* dy;
  T* dx;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    const int64_t image = tiling.image_of(place.block);
    const int lane = place.thread / tiling.slice_groups;
    const int64_t channel = tiling.first_channel(place.block) + place.thread % tiling.slice_groups * kVector;
    const int count = tiling.count(channel);
    if (lane >= tiling.lanes || count == 0) return;
    float values[kVector];
    unpack(load8<kWhole>(dy + image * tiling.channels + channel, count), values);
    const float share = 1.0f / static_cast<float>(tiling.spatial);
    DL_UNROLL
    for (int c = 0; c < kVector; ++c) values[c] *= share;
    for (int64_t s = lane; s < tiling.spatial; s += tiling.lanes) {
      store8<kWhole>(dx + (image * tiling.spatial + s) * tiling.channels + channel, count, values);
    }
  }
};

}  // namespace

template <class T, class Y>
cudaError_t global_average_forward(const Launch& on, int64_t images, int64_t spatial, int64_t channels, const T* x, Y* y) {
  const ImageTiling tiling(images, spatial, channels);
  const int64_t blocks = images * tiling.slices;
  return vectors_fit(channels, x) ? launch(on, blocks, MeanProgram<T, Y, true>{tiling, x, y})
                                  : launch(on, blocks, MeanProgram<T, Y, false>{tiling, x, y});
}

template <class T>
cudaError_t global_average_backward(const Launch& on, int64_t images, int64_t spatial, int64_t channels, const T* dy, T* dx) {
  const ImageTiling tiling(images, spatial, channels);
  const int64_t blocks = images * tiling.slices;
  return vectors_fit(channels, dy, dx) ? launch(on, blocks, SpreadProgram<T, true>{tiling, dy, dx})
                                       : launch(on, blocks, SpreadProgram<T, false>{tiling, dy, dx});
}

template cudaError_t global_average_forward(const Launch&, int64_t, int64_t, int64_t, const float*, float*);
template cudaError_t global_average_forward(const Launch&, int64_t, int64_t, int64_t, const Bfloat16*, Bfloat16*);
template cudaError_t global_average_forward(const Launch&, int64_t, int64_t, int64_t, const Bfloat16*, float*);
template cudaError_t global_average_backward(const Launch&, int64_t, int64_t, int64_t, const float*, float*);
template cudaError_t global_average_backward(const Launch&, int64_t, int64_t, int64_t, const Bfloat16*, Bfloat16*);

}  // namespace dl::cuda
