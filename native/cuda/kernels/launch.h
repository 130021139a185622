#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <utility>

#include "cuda/kernels/kernels.h"

#if !defined(__CUDACC__)
#include <functional>
#include <memory>
#include <vector>
#endif

namespace dl::cuda {

/// A kernel is a program: a struct of values with
///   kThreads, kBlocks          threads of a block; blocks that a multiprocessor shall hold at least
///   kPhases                    parts between which all threads of a block wait for each other
///   Shared, State              the block's shared memory; what a thread keeps from phase to phase
///   phase<P>(place, shared, state) const
/// Compiled by nvcc, launch() starts it on the device; compiled as plain C++, launch() runs the same phases block by block on the
/// host, at once or when on_host_stream wants it.
struct Nothing {};

struct Place {
  int64_t block;
  int thread;
};

#if defined(__CUDACC__)

template <class Program>
__global__ void __launch_bounds__(Program::kThreads, Program::kBlocks) run(const __grid_constant__ Program program) {
  // Where Launch::overlap asks for it, blocks come onto the device while the kernel before still ends. Here they wait until its
  // results are there, before they touch memory; then the next kernel's blocks may come.
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;");
#endif
  __shared__ typename Program::Shared shared;
  typename Program::State state;
  const Place place{static_cast<int64_t>(blockIdx.x), static_cast<int>(threadIdx.x)};
  program.template phase<0>(place, shared, state);
  [&]<int... kPhase>(std::integer_sequence<int, kPhase...>) {
    ((__syncthreads(), program.template phase<kPhase + 1>(place, shared, state)), ...);
  }
  (std::make_integer_sequence<int, Program::kPhases - 1>());
}

template <class Program>
cudaError_t launch(const Launch& launch, int64_t blocks, const Program& program) {
  if (blocks == 0) return cudaSuccess;
  if (blocks > std::numeric_limits<int32_t>::max()) return cudaErrorInvalidConfiguration;
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(Program::kThreads);
  config.stream = launch.stream;
  config.attrs = &overlap;
  config.numAttrs = launch.overlap ? 1 : 0;
  return cudaLaunchKernelEx(&config, run<Program>, program);
}

#else

/// Takes what is launched on the host, to do it in its turn; null: it is done at once.
inline void (*on_host_stream)(cudaStream_t stream, std::function<void()> work) = nullptr;

template <class Program>
void run_on_host(int64_t blocks, const Program& program) {
  std::vector<typename Program::State> states(Program::kThreads);
  for (int64_t block = 0; block < blocks; ++block) {
    const auto shared = std::make_unique<typename Program::Shared>();
    [&]<int... kPhase>(std::integer_sequence<int, kPhase...>) {
      const auto all_threads = [&](auto phase) {
        for (int thread = 0; thread < Program::kThreads; ++thread) {
          program.template phase<decltype(phase)::value>(Place{block, thread}, *shared, states[static_cast<size_t>(thread)]);
        }
      };
      (all_threads(std::integral_constant<int, kPhase>()), ...);
    }
    (std::make_integer_sequence<int, Program::kPhases>());
  }
}

template <class Program>
cudaError_t launch(const Launch& launch, int64_t blocks, const Program& program) {
  if (on_host_stream == nullptr) {
    run_on_host(blocks, program);
  } else {
    on_host_stream(launch.stream, [blocks, program] { run_on_host(blocks, program); });
  }
  return cudaSuccess;
}

#endif

/// Blocks of `threads` for `items`.
constexpr int64_t blocks_for(int64_t items, int64_t threads) { return (items + threads - 1) / threads; }

/// What a thread wrote to global memory before, other blocks see.
DL_HOST_DEVICE void publish() {
#if defined(__CUDA_ARCH__)
  __threadfence();
#endif
}

/// Whether this is the last of `total` blocks to call it; the counter is 0 again afterwards.
DL_HOST_DEVICE bool last_of(uint32_t* counter, uint32_t total) {
#if defined(__CUDA_ARCH__)
  __threadfence();
  const bool last = atomicAdd(counter, 1u) == total - 1;
  if (last) *counter = 0;
  __threadfence();
  return last;
#else
  const bool last = ++*counter == total;
  if (last) *counter = 0;
  return last;
#endif
}

/// Eight bytes that another block of the same kernel wrote: by way of the second-level cache.
template <class T>
DL_HOST_DEVICE T load_published(const T* from) {
  static_assert(sizeof(T) == sizeof(uint64_t));
#if defined(__CUDA_ARCH__)
  return std::bit_cast<T>(__ldcg(reinterpret_cast<const unsigned long long*>(from)));
#else
  return *from;
#endif
}

/// Whether vector accesses are possible.
inline bool aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % kAlignment == 0; }
template <class... Pointers>
bool vectors_fit(int64_t channels, const Pointers*... pointers) {
  return channels % kVector == 0 && (aligned(pointers) && ...);
}

}  // namespace dl::cuda
