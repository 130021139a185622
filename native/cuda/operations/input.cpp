#include "cuda/operations/input.h"

#include <algorithm>

#include "cuda/runtime/error.h"
#include "cuda/runtime/memory.h"

namespace dl::cuda {
namespace {

template <class T>
class InputConversion final : public InputOperation {
 public:
  InputConversion(PlanBuilder& builder, const FusedOperation& operation)
      : input_(std::get<Input>(builder.node(operation.node).kind)) {
    const Graph::Node& node = builder.node(operation.node);
    constexpr int64_t kPixelValues = 16 / sizeof(T);
    const auto convolves = [&](int reader) {
      const auto* convolution = std::get_if<Convolution>(&builder.node(reader).kind);
      return convolution != nullptr && convolution->groups == 1;
    };
    const bool pads = node.shape.channels < kPixelValues && std::all_of(node.consumers.begin(), node.consumers.end(), convolves);
    const Value& y = builder.create_value(operation.node, builder.type(), pads ? kPixelValues : 0);
    pixels_ = y.shape.height * y.shape.width;
    channels_ = static_cast<int>(node.shape.channels);
    padded_channels_ = static_cast<int>(y.shape.channels);
    y_ = y.buffer;
    for (BufferId* map : {&scale_, &shift_})
      *map = builder.arena().add_persistent(channels_ * static_cast<int64_t>(sizeof(float)));
  }

  void bind(const Arena& arena, const Pass& /*pass*/, Target& /*target*/) override {
    arena_ = arena;
    const auto upload_map = [&](const std::vector<float>& map, BufferId buffer) {
      upload(arena.at<float>(buffer), map.data(), static_cast<int64_t>(map.size() * sizeof(float)));
    };
    upload_map(input_.scale, scale_);
    upload_map(input_.shift, shift_);
  }

  void convert(const Pass& pass, const void* pixels, PixelFormat format, int64_t first, int64_t images) const override {
    const PixelConversion<T> job{.pixels = images * pixels_,
                                 .channels = channels_,
                                 .padded_channels = padded_channels_,
                                 .values = pixels,
                                 .scale = arena_.at<float>(scale_),
                                 .shift = arena_.at<float>(shift_),
                                 .y = arena_.at<T>(y_) + first * pixels_ * padded_channels_};
    check(format == PixelFormat::kUint8 ? convert_uint8<T>(pass.launch(), job) : convert_float<T>(pass.launch(), job),
          "converting pixels");
  }

 private:
  Input input_;
  int64_t pixels_ = 0;  // of an image
  int channels_ = 0;
  int padded_channels_ = 0;
  BufferId y_ = -1, scale_ = -1, shift_ = -1;
  Arena arena_;
};

}  // namespace

std::unique_ptr<InputOperation> make_input_operation(PlanBuilder& builder, const FusedOperation& operation) {
  if (builder.type() == DataType::kBfloat16) return std::make_unique<InputConversion<Bfloat16>>(builder, operation);
  return std::make_unique<InputConversion<float>>(builder, operation);
}

std::unique_ptr<Operation> make_input(PlanBuilder& builder, const FusedOperation& operation) {
  return make_input_operation(builder, operation);
}

}  // namespace dl::cuda
