#include "cpu/kernels/kernels.h"

// Only the choice asks for oneDNN: the CUDA kernels' tests compile this file without it.
#if defined(DL_KERNELS_X86)
#include <dnnl.hpp>
#endif

namespace dl::cpu {

// One table a variant of kernels/variant.cpp; native/cpu/CMakeLists.txt compiles it once for each instruction set.
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
namespace avx512_bf16 {
extern const KernelTable kTable;
}
namespace amx {
extern const KernelTable kTable;
}
#endif

#if defined(DL_KERNELS_X86)
namespace {

// By the instruction set that oneDNN uses, so that the environment variable ONEDNN_MAX_CPU_ISA holds for both (to look for the
// cause of a difference between machines).
bool allows(dnnl::cpu_isa isa) {
  static const auto effective = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  return (effective & static_cast<unsigned>(isa)) == static_cast<unsigned>(isa);
}

}  // namespace
#endif

const KernelTable& kernels() {
#if defined(DL_KERNELS_X86)
  static const KernelTable& best = []() -> const KernelTable& {
    // oneDNN has asked the operating system for the tiles, then.
    if (allows(dnnl::cpu_isa::avx512_core_amx)) return amx::kTable;
    if (allows(dnnl::cpu_isa::avx512_core_bf16)) return avx512_bf16::kTable;
    if (allows(dnnl::cpu_isa::avx512_core)) return avx512::kTable;
    if (allows(dnnl::cpu_isa::avx2) && __builtin_cpu_supports("fma")) return avx2::kTable;
    return baseline::kTable;
  }();
  return best;
#else
  return baseline::kTable;
#endif
}

}  // namespace dl::cpu
