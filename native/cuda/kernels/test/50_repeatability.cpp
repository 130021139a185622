// The same inputs give the same bits, whatever the order in which blocks finish.
#include "cuda/kernels/test/batch_norm_case.h"

namespace dl::cuda::test {
namespace {

template <class T>
reference::Values results() {
  BatchNormCase test{16, 28, 28, 64, std::numeric_limits<double>::infinity()};
  test.multiprocessors = 132;
  BatchNormRun<T> run(test);
  run.forward();
  Buffer<T> dy(random_values<T>(test.size(), 3)), dx(test.size());
  Buffer<float> weight_gradient(test.c), bias_gradient(test.c), slope(test.c), offset(test.c);
  check(normalization_reduce<T>(on(test.multiprocessors), {.rows = test.rows(),
                                                           .channels = test.c,
                                                           .dy = dy.get(),
                                                           .x = run.x.get(),
                                                           .saved = run.saved(),
                                                           .activation = test.activation(),
                                                           .weight_gradient = weight_gradient.get(),
                                                           .bias_gradient = bias_gradient.get(),
                                                           .slope = slope.get(),
                                                           .offset = offset.get(),
                                                           .scratch = run.scratch.get()}));
  reference::Values all;
  for (Buffer<float>* buffer : {&run.mean, &run.inverse_deviation, &weight_gradient, &bias_gradient, &slope, &offset})
    for (const float value : buffer->read()) all.push_back(static_cast<double>(value));
  for (const double value : to_double(run.y.read())) all.push_back(value);
  return all;
}

TEST_CASE_TEMPLATE("batch norm repeats bit by bit", T, float, Bfloat16) {
  const reference::Values first = results<T>();
#if defined(DL_CUDA_KERNELS_ON_HOST)
  constexpr int kRuns = 1;  // nothing runs at the same time there
#else
  constexpr int kRuns = 20;
#endif
  for (int i = 0; i < kRuns; ++i) CHECK(results<T>() == first);
}

}  // namespace
}  // namespace dl::cuda::test
