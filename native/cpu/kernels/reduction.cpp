#include <algorithm>

#include "cpu/kernels/kernels.h"

namespace dl::cpu {

int64_t reduction_rows(const Layout& layout) {
  constexpr int64_t kValues = 65536;  // 256 KiB of float32: enough work for a thread, enough pieces for many threads
  return std::clamp<int64_t>(kValues / layout.block(), 1, layout.spatial());
}

int64_t reduction_items(const Layout& layout) {
  const int64_t rows = reduction_rows(layout);
  return layout.images * ((layout.spatial() + rows - 1) / rows);
}

}  // namespace dl::cpu
