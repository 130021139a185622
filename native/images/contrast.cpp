#include "images/contrast.h"

#include <algorithm>
#include <array>

namespace dl::images {

void normalize_contrast(std::span<uint8_t> values) {
  if (values.empty()) return;
  const auto [least, largest] = std::minmax_element(values.begin(), values.end());
  const int minimum = *least, range = *largest - minimum;
  if (range == 0) return;
  std::array<uint8_t, 256> stretched{};
  for (int offset = 0; offset <= range; ++offset) {
    stretched[static_cast<size_t>(minimum + offset)] = static_cast<uint8_t>((2 * 255 * offset + range) / (2 * range));
  }
  for (uint8_t& value : values) value = stretched[value];
}

}  // namespace dl::images
