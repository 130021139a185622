#include "reference/storage.h"

#include <cmath>

namespace dl::reference {

double round_to_bfloat16(double value) {
  if (!std::isfinite(value)) return value;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // 0.5 <= |fraction| < 1
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

void round_values(Values& values, Storage storage) {
  if (storage == Storage::kFloat64) return;
  for (double& value : values) value = round_to_bfloat16(value);
}

}  // namespace dl::reference
