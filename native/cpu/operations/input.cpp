#include "cpu/operations/linear_shape.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

/// Pixels to the first activation: (g - 127) * scale + shift per channel, in the layout that the first convolution prefers.
template <class T>
class InputConversion final : public Operation {
 public:
  InputConversion(PlanBuilder& builder, const FusedOperation& operation) : input_(std::get<Input>(builder.node(operation.node).kind)) {
    const Graph::Node& node = builder.node(operation.node);
    layout_ = {builder.options().batch_size, node.shape.channels, node.shape.height, node.shape.width, Order::kNhwc};
    const int reader = node.consumers[0];
    if (node.consumers.size() == 1 && std::holds_alternative<Convolution>(builder.node(reader).kind)) {
      layout_.order = preferred_source_order(linear_shape(builder, reader, layout_, builder.type()));
    } else {
      layout_ = builder.layout(node.shape);
    }
    y_ = builder.create_value(operation.node, layout_, builder.type()).buffer;
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& batch) override {
    const std::byte* pixels = batch.images.pixels.data();
    T* y = arena_.at<T>(y_);
    if (batch.images.format == PixelFormat::kUint8) {
      kernels().typed<T>().convert_uint8(reinterpret_cast<const uint8_t*>(pixels), layout_, input_.scale.data(), input_.shift.data(), y);
    } else {
      kernels().typed<T>().convert_float(reinterpret_cast<const float*>(pixels), layout_, input_.scale.data(), input_.shift.data(), y);
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
