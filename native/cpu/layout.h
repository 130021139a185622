#pragma once

#include <cstdint>

namespace dl::cpu {

/// Order of an activation's values in memory.
enum class Order {
  kNhwc,       // channels innermost
  kBlocked16,  // oneDNN's nChw16c: channels in groups of 16, the group innermost, the last group padded with zeros
  kNchw,       // channel by channel; only ever the network's input and what a fully connected layer flattens
};

/// An activation of a batch in memory: value (n, c, y, x) lies at ((n * blocks + c / block) * height * width + y * width + x) *
/// block + c % block.
struct Layout {
  int64_t images = 0;
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  Order order = Order::kNhwc;

  int64_t block() const { return order == Order::kNhwc ? channels : order == Order::kBlocked16 ? 16 : 1; }
  int64_t blocks() const { return (channels + block() - 1) / block(); }
  int64_t spatial() const { return height * width; }
  /// Channels with their padding.
  int64_t padded_channels() const { return blocks() * block(); }
  /// Values in memory, padding included.
  int64_t size() const { return images * padded_channels() * spatial(); }
};

}  // namespace dl::cpu
