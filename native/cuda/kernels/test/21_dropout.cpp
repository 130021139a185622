// Dropout's masks are those of the CPU backend and of the reference, value by value.
#include <doctest/doctest.h>

#include "cpu/kernels/kernels.h"
#include "cuda/kernels/test/buffer.h"
#include "cuda/kernels/test/comparison.h"
#include "reference/layers.h"

namespace dl::cuda::test {
namespace {

TEST_CASE("the mask follows seed, step, layer and image") {
  struct Case {
    int64_t n, h, w, c, images_before;
    double probability;
  };
  for (const Case& test : {Case{2, 3, 4, 8, 0, 0.5}, Case{2, 3, 3, 5, 3, 0.5}, Case{3, 1, 1, 7, 1, 0.25},
                           Case{2, 1, 1, 4096, 7, 0.1}, Case{2, 2, 3, 9, 1, 0.9}, Case{1, 1, 1, 6, 5, 0.0}}) {
    CAPTURE(test.c);
    const int64_t image_size = test.h * test.w * test.c;
    const auto x_values = random_values<float>(test.n * image_size, 1, 0.5, 1);
    for (const uint64_t step : {uint64_t{0}, uint64_t{77}}) {
      const uint64_t seed = 0x123456789abcdef0;
      Buffer<float> x(x_values), y(test.n * image_size);
      Buffer<StepInputs> inputs({StepInputs{.seed = seed, .step = step, .images_before = test.images_before}});
      const auto probability = static_cast<float>(test.probability);
      check(dropout<float>(on(), {.images = test.n,
                                  .image_size = image_size,
                                  .x = x.get(),
                                  .y = y.get(),
                                  .probability = probability,
                                  .stream = 9,
                                  .inputs = inputs.get()}));
      const auto result = y.read();

      const reference::Tensor tensor = to_nchw(to_double(x_values), test.n, test.h, test.w, test.c);
      const auto mask = reference::dropout_mask(tensor, {.probability = test.probability}, {seed, 9, step, test.images_before});
      check_close("y", to_double(result), to_nhwc(reference::dropout_apply(tensor, mask)), 5e-7, 0);

      std::vector<float> of_cpu(result.size());
      const cpu::Layout layout{test.n, test.c, test.h, test.w};
      cpu::kernels().float32.dropout(layout, x_values.data(), of_cpu.data(), probability, seed, 9, step, test.images_before);
      CHECK(result == of_cpu);
    }
  }
}

TEST_CASE("in bfloat16 the same values are kept") {
  const auto values = random_values<float>(1003, 1, 0.5, 1);
  std::vector<Bfloat16> narrow(values.size());
  for (size_t i = 0; i < values.size(); ++i) store(narrow[i], values[i]);
  Buffer<float> x(values), y(1003);
  Buffer<Bfloat16> x16(narrow), y16(1003);
  Buffer<StepInputs> inputs({StepInputs{.seed = 5, .step = 6}});
  check(dropout<float>(on(), {1, 1003, x.get(), y.get(), 0.5f, 2, inputs.get()}));
  check(dropout<Bfloat16>(on(), {1, 1003, x16.get(), y16.get(), 0.5f, 2, inputs.get()}));
  const auto wide = y.read();
  const auto result = y16.read();
  for (size_t i = 0; i < wide.size(); ++i) CHECK((wide[i] == 0) == (load(result[i]) == 0));
}

}  // namespace
}  // namespace dl::cuda::test
