#include "reference/layers.h"

namespace dl::reference {

// Window i covers padded rows i * stride .. i * stride + kernel - 1 of input + 2 * padding. Without ceil mode it must lie inside.
// With ceil mode one more window follows a window that has left rows uncovered, if it starts before the right padding.
int64_t count_windows(int64_t input, int64_t kernel, int64_t stride, int64_t padding, bool ceil_mode) {
  const int64_t padded = input + 2 * padding;
  int64_t count = 0;
  while (count * stride + kernel <= padded) ++count;
  if (ceil_mode && count > 0) {
    const bool uncovered = (count - 1) * stride + kernel < padded;
    if (uncovered && count * stride < input + padding) ++count;
  }
  return count;
}

}  // namespace dl::reference
