// Every value of an activation belongs to exactly one thread, and a chunk's rows to its lanes, for all shapes and devices.
#include <doctest/doctest.h>

#include <vector>

#include "cuda/kernels/arithmetic/row_tiling.h"

namespace dl::cuda {
namespace {

TEST_CASE("a tiling covers each value once") {
  for (const int64_t channels : {1, 3, 8, 12, 24, 64, 72, 130, 144, 320, 512, 2048, 4100})
    for (const int64_t rows : {1, 2, 7, 49, 98, 784, 1009})
      for (const int multiprocessors : {1, 3, 132}) {
        CAPTURE(channels);
        CAPTURE(rows);
        CAPTURE(multiprocessors);
        const RowTiling tiling = row_tiling(rows, channels, multiprocessors);
        REQUIRE(tiling.lanes * tiling.slice_groups <= RowTiling::kThreads);
        REQUIRE(tiling.slice_channels() <= 64);
        std::vector<int> owners(static_cast<size_t>(rows * channels), 0);
        std::vector<int> mask_owners(static_cast<size_t>(rows * mask_bytes(channels)), 0);
        for (int64_t block = 0; block < tiling.blocks(); ++block) {
          REQUIRE(tiling.rows_of(tiling.chunk_of(block)) >= 1);
          for (int t = 0; t < RowTiling::kThreads; ++t) {
            const TileThread thread(tiling, block, t);
            for (int64_t row = 0; row < thread.rows; ++row) {
              ++mask_owners.at(static_cast<size_t>(thread.first_mask + row * thread.mask_step));
              for (int c = 0; c < thread.count; ++c) ++owners.at(static_cast<size_t>(thread.first + row * thread.step + c));
            }
          }
        }
        bool once = true;
        for (const int count : owners) once = once && count == 1;
        for (const int count : mask_owners) once = once && count == 1;
        CHECK(once);
      }
}

TEST_CASE("large activations fill the device, and a slice of bfloat16 is a line of the cache") {
  for (const auto& [rows, channels] : std::vector<std::pair<int64_t, int64_t>>{{256 * 112 * 112, 64},
                                                                               {256 * 56 * 56, 64},
                                                                               {256 * 56 * 56, 256},
                                                                               {256 * 28 * 28, 512},
                                                                               {256 * 14 * 14, 1024},
                                                                               {256 * 49, 2048}}) {
    const RowTiling tiling = row_tiling(rows, channels, 132);
    CAPTURE(channels);
    CHECK(tiling.slice_channels() == 64);
    CHECK(tiling.blocks() > 250);
    CHECK(tiling.blocks() <= 264);
  }
}

}  // namespace
}  // namespace dl::cuda
