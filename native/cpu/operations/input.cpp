#include <algorithm>

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
    layout_ = builder.layout(node.shape);
    // A first convolution into groups of 16 channels has kernels for the plain order only.
    const auto convolves = [&](int reader) { return std::holds_alternative<Convolution>(builder.node(reader).kind); };
    if (layout_.order == Order::kBlocked16 && std::all_of(node.consumers.begin(), node.consumers.end(), convolves))
      layout_.order = Order::kNchw;
    y_ = builder.create_value(operation.node, layout_, builder.type()).buffer;
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& batch) override {
    const std::byte* pixels = batch.images.pixels.data();
    T* y = arena_.at<T>(y_);
    if (batch.images.format == PixelFormat::kUint8) {
      kernels().typed<T>().convert_uint8(reinterpret_cast<const uint8_t*>(pixels), layout_, input_.scale.data(),
                                         input_.shift.data(), y);
    } else {
      kernels().typed<T>().convert_float(reinterpret_cast<const float*>(pixels), layout_, input_.scale.data(),
                                         input_.shift.data(), y);
    }
  }

 private:
  Input input_;
  Layout layout_;
  BufferId y_ = -1;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_input(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<InputConversion>(builder, operation);
}

}  // namespace dl::cpu
