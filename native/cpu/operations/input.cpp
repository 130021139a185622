#include <algorithm>
#include <vector>

#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

/// Pixels to the first activation: (g - 127) * scale + shift per channel, in the order that its readers have kernels for.
template <class T>
class InputConversion final : public Operation {
 public:
  InputConversion(PlanBuilder& builder, const FusedOperation& operation)
      : input_(std::get<Input>(builder.node(operation.node).kind)) {
    const Graph::Node& node = builder.node(operation.node);
    shape_ = node.shape;
    layout_ = builder.layout(node.shape);
    images_.resize(static_cast<size_t>(layout_.images));
    // A first convolution into groups of 16 channels has kernels for the plain order only.
    const auto convolves = [&](int reader) { return std::holds_alternative<Convolution>(builder.node(reader).kind); };
    if (layout_.order == Order::kBlocked16 && std::all_of(node.consumers.begin(), node.consumers.end(), convolves))
      layout_.order = Order::kNchw;
    y_ = builder.create_value(operation.node, layout_, builder.type()).buffer;
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& batch) override {
    for (size_t n = 0; n < images_.size(); ++n) images_[n] = batch.images.image(static_cast<int64_t>(n), shape_);
    const auto& kernel = kernels().typed<T>();
    const auto convert = batch.images.format == PixelFormat::kUint8 ? kernel.convert_uint8 : kernel.convert_float;
    convert(images_.data(), layout_, input_.scale.data(), input_.shift.data(), arena_.at<T>(y_));
  }

 private:
  Input input_;
  ImageShape shape_;
  Layout layout_;
  std::vector<const std::byte*> images_;  // pixels of each image of the present sub-batch
  BufferId y_ = -1;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_input(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<InputConversion>(builder, operation);
}

}  // namespace dl::cpu
