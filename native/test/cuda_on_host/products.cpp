// Stands in for what cuDNN and cuBLASLt compute: convolutions and matrix products by their definition. What they are planned with
// is the real cuDNN's word.
#include <algorithm>

#include "cuda/convolution/planned_convolution.h"
#include "cuda/matrix_product.h"
#include "engine/error.h"
#include "test/cuda_on_host/streams.h"

namespace dl::test {
namespace {

bool convolutions_starve = false;

}  // namespace

void starve_convolutions(bool starve) { convolutions_starve = starve; }

}  // namespace dl::test

namespace dl::cuda {
namespace {

float value(const void* values, DataType type, int64_t index) {
  return type == DataType::kFloat32 ? static_cast<const float*>(values)[index]
                                    : load(static_cast<const Bfloat16*>(values)[index]);
}

void put(void* values, DataType type, int64_t index, double sum) {
  if (type == DataType::kFloat32) {
    static_cast<float*>(values)[index] = static_cast<float>(sum);
  } else {
    store(static_cast<Bfloat16*>(values)[index], static_cast<float>(sum));
  }
}

/// cuDNN reads its operands while it writes: what a convolution writes must lie apart from them.
void expect_apart(const ConvolutionShape& s, const ConvolutionPointers& pointers, int64_t workspace_bytes) {
  using enum ConvolutionShape::Direction;
  const auto bytes = [&](ConvolutionShape::Direction result_of, int64_t values) {
    return values * bytes_of(s.direction == result_of ? s.result : s.type);
  };
  struct Range {
    const void* from;
    int64_t bytes;
  };
  const Range ranges[] = {
      {pointers.input, bytes(kData, s.images * s.in.size())},
      {pointers.filter, bytes(kFilter, s.out.channels * s.kernel[0] * s.kernel[1] * s.in.channels / s.groups)},
      {pointers.output, bytes(kForward, s.images * s.out.size())},
      {pointers.workspace, workspace_bytes}};
  const Range& result = ranges[s.direction == kData ? 0 : s.direction == kFilter ? 1 : 2];
  for (const Range& other : ranges) {
    if (&other == &result) continue;
    const auto *a = static_cast<const std::byte*>(result.from), *b = static_cast<const std::byte*>(other.from);
    if (a < b + other.bytes && b < a + result.bytes) throw Error(Reason::kInternal, "a convolution writes where it reads");
  }
}

/// Calls term(index in x, index in W, index in y) for every product of the convolution.
template <class Term>
void for_each_product(const ConvolutionShape& s, const Term& term) {
  const int64_t in_group = s.in.channels / s.groups, out_group = s.out.channels / s.groups;
  for (int64_t n = 0; n < s.images; ++n)
    for (int64_t oy = 0; oy < s.out.height; ++oy)
      for (int64_t ox = 0; ox < s.out.width; ++ox)
        for (int64_t ky = 0; ky < s.kernel[0]; ++ky)
          for (int64_t kx = 0; kx < s.kernel[1]; ++kx) {
            const int64_t iy = oy * s.stride[0] + ky - s.padding[0], ix = ox * s.stride[1] + kx - s.padding[1];
            if (iy < 0 || iy >= s.in.height || ix < 0 || ix >= s.in.width) continue;
            for (int64_t k = 0; k < s.out.channels; ++k)
              for (int64_t c = 0; c < in_group; ++c) {
                const int64_t group = k / out_group;
                term(((n * s.in.height + iy) * s.in.width + ix) * s.in.channels + group * in_group + c,
                     ((k * s.kernel[0] + ky) * s.kernel[1] + kx) * in_group + c,
                     ((n * s.out.height + oy) * s.out.width + ox) * s.out.channels + k);
              }
          }
}

}  // namespace

void PlannedConvolution::bind(ConvolutionPointers pointers, const Arena& arena, const Handles& /*handles*/, Target& /*target*/) {
  if (test::convolutions_starve) throw Error(Reason::kOutOfMemory, "a test wants it");
  pointers.workspace = arena.at<void>(workspace_);
  pointers_ = pointers;
  expect_apart(shape_, pointers_, workspace_bytes_);
}

void PlannedConvolution::execute(const Pass& pass) const {
  test::enqueue(pass.launch().stream, [=, this] {
    const auto& [x, w, y, workspace] = pointers_;
    // Whatever lies where the plan says that scratch memory is must not matter.
    std::fill_n(static_cast<std::byte*>(workspace), workspace_bytes_, std::byte{0xff});
    const int64_t in = shape_.images * shape_.in.size(), out = shape_.images * shape_.out.size();
    const int64_t filters = shape_.out.channels * shape_.kernel[0] * shape_.kernel[1] * shape_.in.channels / shape_.groups;
    const DataType type = shape_.type;
    using enum ConvolutionShape::Direction;
    std::vector<double> sums(static_cast<size_t>(shape_.direction == kForward ? out : shape_.direction == kData ? in : filters));
    for_each_product(shape_, [&](int64_t i, int64_t f, int64_t o) {
      const auto product = [&](const void* a, int64_t p, const void* b, int64_t q) {
        return static_cast<double>(value(a, type, p)) * static_cast<double>(value(b, type, q));
      };
      if (shape_.direction == kForward) sums[static_cast<size_t>(o)] += product(x, i, w, f);
      if (shape_.direction == kData) sums[static_cast<size_t>(i)] += product(y, o, w, f);
      if (shape_.direction == kFilter) sums[static_cast<size_t>(f)] += product(x, i, y, o);
    });
    void* result = shape_.direction == kForward ? y : shape_.direction == kData ? x : w;
    for (size_t i = 0; i < sums.size(); ++i) {
      const auto index = static_cast<int64_t>(i);
      const double before = shape_.added ? static_cast<double>(value(result, shape_.result, index)) : 0;
      put(result, shape_.result, index, before + sums[i]);
    }
  });
}

void MatrixProduct::Release::operator()(cublasLtMatmulDesc_t) const {}
void MatrixProduct::Release::operator()(cublasLtMatrixLayout_t) const {}

MatrixProduct::MatrixProduct(PlanBuilder& builder, const Matrix& a, const Matrix& b, const Matrix& c)
    : a_(a), b_(b), c_(c), workspace_buffer_(builder.scratch(256)) {}

void MatrixProduct::bind(const Arena& /*arena*/, const Handles& /*handles*/) {}

void MatrixProduct::execute(const Pass& pass, const void* a, const void* b, void* c) const {
  test::enqueue(pass.launch().stream, [=, this] {
    const int64_t inner = a_.transposed ? a_.rows : a_.columns;
    for (int64_t row = 0; row < c_.rows; ++row)
      for (int64_t column = 0; column < c_.columns; ++column) {
        double sum = 0;
        for (int64_t i = 0; i < inner; ++i) {
          const int64_t p = a_.transposed ? i * a_.columns + row : row * a_.columns + i;
          const int64_t q = b_.transposed ? column * b_.columns + i : i * b_.columns + column;
          sum += static_cast<double>(value(a, a_.type, p)) * static_cast<double>(value(b, b_.type, q));
        }
        put(c, c_.type, row * c_.columns + column, sum);
      }
  });
}

Handles::Handles(int device) { cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device); }

Handles::~Handles() = default;

}  // namespace dl::cuda
