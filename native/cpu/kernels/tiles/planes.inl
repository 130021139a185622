// What tiles read of an image. Included by variant.cpp inside the variant's own namespace.
//
// The rows of a tile lie at one distance from each other. So lines of the input are copied with a border of zeros, and all the
// outputs of a slab of lines are taken for one row of outputs, q = line * columns + x: the pixels under a tap then begin at
// q * row_pixels + the tap's own offset. The last outputs of a line lie over its edge; nobody reads them. Where lines are left
// out (strides), each phase of the stride has a plane of its own.
struct TilePlanes {
  TilePlanes(const TapGrid& tap_grid, std::span<const Tap> taps) : grid(tap_grid) {
    if (taps.empty()) return;
    low = high = taps[0];
    for (const Tap& tap : taps) {
      low = {std::min(low.y, tap.y), std::min(low.x, tap.x)};
      high = {std::max(high.y, tap.y), std::max(high.x, tap.x)};
    }
    phases = std::min(grid.in_step_y, high.y - low.y + 1);
    more_lines = (high.y - low.y) / grid.in_step_y;
    pixel_step = low.x == high.x ? grid.in_step_x : 1;
    row_pixels = low.x == high.x ? 1 : grid.in_step_x;
    columns = grid.width + (high.x - low.x) / row_pixels;
    in_place = taps.size() == 1 && low.y == 0 && low.x == 0 && grid.in_step_y == 1 && grid.in_step_x == 1 &&
               grid.height == grid.in.height && grid.width == grid.in.width;
  }

  int64_t line_pixels() const { return columns * row_pixels; }
  /// Of one phase.
  int64_t plane_pixels(int64_t lines) const { return (lines + more_lines) * line_pixels(); }
  /// Outputs from the first to the last of a slab.
  int64_t rows(int64_t lines) const { return (lines - 1) * columns + grid.width; }
  /// Values of a slab: what its last rows read over its end is there, too.
  int64_t values(int64_t lines, int64_t channels) const {
    return (phases * plane_pixels(lines) + 2 * kTileSide * row_pixels + high.x - low.x + 1) * channels + kTileDepth;
  }
  /// Where the pixels of the first output lie under a tap; its phase and line come first.
  int64_t phase(const Tap& tap) const { return (tap.y - low.y) % grid.in_step_y; }
  int64_t line(const Tap& tap) const { return (tap.y - low.y) / grid.in_step_y; }
  int64_t pixel(const Tap& tap, int64_t lines) const {
    return phase(tap) * plane_pixels(lines) + line(tap) * line_pixels() + tap.x - low.x;
  }

  TapGrid grid;
  Tap low{0, 0}, high{0, 0};
  int64_t phases = 1;
  int64_t more_lines = 0;  // of a plane than of its slab
  int64_t pixel_step = 1;  // between copied pixels, in the input
  int64_t row_pixels = 1;  // between the pixels of neighbouring outputs, in the copy
  int64_t columns = 0;     // outputs of a line, those over its edge included
  bool in_place = false;   // the input itself is what rows read: outputs are its pixels
};

/// Some channels of what the lines of a slab read; zeros outside.
inline void copy_planes(const TilePlanes& planes, const Bfloat16* x, int64_t image, int64_t first_line, int64_t lines,
                        int64_t first_channel, int64_t channels, Bfloat16* to) {
  const Layout& in = planes.grid.in;
  const int64_t pixels = planes.line_pixels();
  for (int64_t phase = 0; phase < planes.phases; ++phase) {
    for (int64_t line = first_line; line < first_line + lines + planes.more_lines; ++line, to += pixels * channels) {
      const int64_t y = line * planes.grid.in_step_y + planes.low.y + phase;
      if (y < 0 || y >= in.height) {
        std::fill_n(to, pixels * channels, Bfloat16{});
        continue;
      }
      const Bfloat16* from = x + (image * in.height + y) * in.width * in.channels + first_channel;
      const auto is_inside = [&](int64_t pixel) {
        const int64_t column = pixel * planes.pixel_step + planes.low.x;
        return column >= 0 && column < in.width;
      };
      int64_t begin = 0, end = pixels;
      while (begin < end && !is_inside(begin)) ++begin;
      while (end > begin && !is_inside(end - 1)) --end;
      std::fill_n(to, begin * channels, Bfloat16{});
      const Bfloat16* first = from + (begin * planes.pixel_step + planes.low.x) * in.channels;
      if (planes.pixel_step == 1 && channels == in.channels) {
        std::copy_n(first, (end - begin) * channels, to + begin * channels);
      } else {
        for (int64_t pixel = begin; pixel < end; ++pixel, first += planes.pixel_step * in.channels)
          std::copy_n(first, channels, to + pixel * channels);
      }
      std::fill_n(to + end * channels, (pixels - end) * channels, Bfloat16{});
    }
  }
  std::fill_n(to, kTileDepth + channels * (planes.high.x - planes.low.x + 1), Bfloat16{});
}
