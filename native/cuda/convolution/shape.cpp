#include "cuda/convolution/shape.h"

#include <sstream>

namespace dl::cuda {
namespace {

const char* name_of(ConvolutionShape::Direction direction) {
  switch (direction) {
    case ConvolutionShape::Direction::kForward:
      return "forward";
    case ConvolutionShape::Direction::kData:
      return "data";
    case ConvolutionShape::Direction::kFilter:
      return "filter";
  }
  return "";
}

const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return "float32";
    case Precision::kTf32:
      return "tf32";
    case Precision::kBfloat16:
      return "bfloat16";
  }
  return "";
}

}  // namespace

std::string key_of(const ConvolutionShape& shape, const ConvolutionRules& rules) {
  std::ostringstream key;
  key << name_of(shape.direction) << ",n" << shape.images << ",in" << shape.in.height << 'x' << shape.in.width << 'x'
      << shape.in.channels << ",out" << shape.out.height << 'x' << shape.out.width << 'x' << shape.out.channels << ",kernel"
      << shape.kernel[0] << 'x' << shape.kernel[1] << ",stride" << shape.stride[0] << 'x' << shape.stride[1] << ",padding"
      << shape.padding[0] << 'x' << shape.padding[1] << ",groups" << shape.groups << ',' << name_of(rules.precision) << ",to"
      << 8 * bytes_of(shape.result) << (shape.added ? ",added" : "") << (rules.deterministic ? ",deterministic" : "");
  return key.str();
}

}  // namespace dl::cuda
