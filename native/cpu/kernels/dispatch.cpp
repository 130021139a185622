#include <algorithm>

#include "cpu/kernels/kernels.h"

namespace dl::cpu {

// One table a variant of kernels/variant.cpp; native/CMakeLists.txt compiles it once for each instruction set.
namespace baseline {
extern const KernelTable kTable;
}
#if defined(DL_KERNELS_X86)
namespace avx2 {
extern const KernelTable kTable;
}
namespace avx512 {
extern const KernelTable kTable;
}
#endif

int64_t reduction_rows(const Layout& layout) {
  constexpr int64_t kValues = 65536;  // 256 KiB of float32: enough work for a thread, enough pieces for many threads
  return std::clamp<int64_t>(kValues / layout.block(), 1, layout.spatial());
}

int64_t reduction_items(const Layout& layout) {
  const int64_t rows = reduction_rows(layout);
  return layout.images * ((layout.spatial() + rows - 1) / rows);
}

const KernelTable& kernels() {
#if defined(DL_KERNELS_X86)
  static const KernelTable& best = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
                                       ? avx512::kTable
                                   : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? avx2::kTable
                                                                                                     : baseline::kTable;
  return best;
#else
  return baseline::kTable;
#endif
}

}  // namespace dl::cpu
