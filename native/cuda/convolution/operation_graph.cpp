#include "cuda/convolution/operation_graph.h"

#include <array>

namespace dl::cuda {
namespace {

constexpr int64_t kPointerAlignment = 16;

using Dimensions = std::array<int64_t, 4>;  // as cuDNN counts them: (n, c, h, w) or (k, c, r, s)

/// Channels innermost, without gaps.
Descriptor tensor(TensorUid uid, cudnnDataType_t type, const Dimensions& size) {
  const auto [n, c, h, w] = size;
  const Dimensions strides{h * w * c, 1, w * c, c};
  Descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  tensor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<int64_t>(uid));
  tensor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  tensor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, kPointerAlignment);
  tensor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, size);
  tensor.set(CUDNN_ATTR_TENSOR_STRIDES, strides);
  tensor.finalize();
  return tensor;
}

Descriptor convolution(const ConvolutionShape& shape) {
  constexpr std::array<int64_t, 2> kNoDilation{1, 1};
  Descriptor convolution(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  convolution.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  convolution.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  convolution.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  convolution.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, kNoDilation);
  convolution.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, shape.stride);
  convolution.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, shape.padding);
  convolution.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, shape.padding);
  convolution.finalize();
  return convolution;
}

/// The names of a direction's attributes.
struct Attributes {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t convolution, input, filter, output, alpha, beta;
};

Attributes attributes(ConvolutionShape::Direction direction) {
  switch (direction) {
    case ConvolutionShape::Direction::kForward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case ConvolutionShape::Direction::kData:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    default:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  }
}

Descriptor operation(const ConvolutionShape& shape) {
  using enum ConvolutionShape::Direction;
  const auto type_of = [&](ConvolutionShape::Direction result_of) {
    const DataType type = shape.direction == result_of ? shape.result : shape.type;
    return type == DataType::kFloat32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
  };
  const Dimensions in{shape.images, shape.in.channels, shape.in.height, shape.in.width};
  const Dimensions out{shape.images, shape.out.channels, shape.out.height, shape.out.width};
  const Dimensions filter{shape.out.channels, shape.in.channels / shape.groups, shape.kernel[0], shape.kernel[1]};

  const Attributes names = attributes(shape.direction);
  Descriptor operation(names.operation);
  operation.set(names.convolution, convolution(shape));
  operation.set(names.input, tensor(TensorUid::kInput, type_of(kData), in));
  operation.set(names.filter, tensor(TensorUid::kFilter, type_of(kFilter), filter));
  operation.set(names.output, tensor(TensorUid::kOutput, type_of(kForward), out));
  // In the compute type: cuDNN takes doubles, too, but its kernels read four bytes of them, which are 0.
  operation.set(names.alpha, 1.0f);
  operation.set(names.beta, shape.added ? 1.0f : 0.0f);
  operation.finalize();
  return operation;
}

}  // namespace

Descriptor device_properties(int device) {
  Descriptor properties(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, device);
  properties.finalize();
  return properties;
}

Descriptor device_properties(const std::string& json) {
  Descriptor properties(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, json);
  properties.finalize();
  return properties;
}

OperationGraph::OperationGraph(const ConvolutionShape& shape, cudnnHandle_t handle)
    : handle_(handle), graph_(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
  operations_.push_back(operation(shape));
  graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_);
  if (handle != nullptr) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
  graph_.finalize();
}

}  // namespace dl::cuda
