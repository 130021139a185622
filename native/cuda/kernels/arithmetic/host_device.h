#pragma once

/// The kernels are written in functions that compile for the device and, by any C++ compiler, for the host, where they are
/// tested.
#if defined(__CUDACC__)
#define DL_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define DL_HOST_DEVICE inline
#endif

/// Before a loop: arrays that it indexes stay in registers.
#if defined(__CUDA_ARCH__)
#define DL_UNROLL _Pragma("unroll")
#else
#define DL_UNROLL
#endif
