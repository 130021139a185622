#include "engine/graph.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "engine/error.h"

namespace dl {
namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

[[noreturn]] void refuse(const std::string& layer, const std::string& problem) {
  throw Error(Reason::kInvalidGraph, "layer '" + layer + "': " + problem, {{"layer", layer}});
}

std::string text(const ImageShape& shape) {
  return std::to_string(shape.channels) + " x " + std::to_string(shape.height) + " x " + std::to_string(shape.width);
}

/// Extents and sizes beyond these fit no machine, and their products would not fit 64 bits.
constexpr int64_t kLargestExtent = int64_t{1} << 31;
constexpr int64_t kLargestSize = int64_t{1} << 48;

/// The product of extents, or -1 where an extent or the product is too large.
template <class Extents>
int64_t bounded_size(const Extents& extents) {
  int64_t size = 1;
  for (const int64_t extent : extents) {
    if (extent > kLargestExtent || size > kLargestSize / std::max<int64_t>(extent, 1)) return -1;
    size *= extent;
  }
  return size;
}

/// Checks one layer and derives its output shape and its tensors.
class LayerCheck {
 public:
  LayerCheck(const Layer& layer, std::vector<ImageShape> inputs, bool first, bool last)
      : layer_(layer), inputs_(std::move(inputs)), first_(first), last_(last) {}

  ImageShape output(ImageShape image, std::vector<TensorInfo>& tensors) const {
    const ImageShape shape = output_of_kind(image, tensors);
    require(bounded_size(std::array{shape.channels, shape.height, shape.width}) >= 0,
            "an output of " + text(shape) + " is too large");
    return shape;
  }

 private:
  ImageShape output_of_kind(ImageShape image, std::vector<TensorInfo>& tensors) const {
    return std::visit(
        Overloaded{
            [&](const Input& l) { return input(l, image); }, [&](const Convolution& l) { return convolution(l, tensors); },
            [&](const BatchNorm& l) { return batch_norm(l, tensors); }, [&](const Relu& l) { return relu(l); },
            [&](const Add&) { return add(); }, [&](const Concat&) { return concat(); }, [&](const Pool& l) { return pool(l); },
            [&](const GlobalAveragePool&) { return global_average_pool(); }, [&](const Dropout& l) { return dropout(l); },
            [&](const FullyConnected& l) { return fully_connected(l, tensors); }, [&](const Softmax&) { return softmax(); }},
        layer_.kind);
  }

 private:
  void require(bool condition, const std::string& problem) const {
    if (!condition) refuse(layer_.name, problem);
  }

  ImageShape only_input() const {
    require(inputs_.size() == 1, "wants exactly one input, got " + std::to_string(inputs_.size()));
    return inputs_[0];
  }

  void tensor(std::vector<TensorInfo>& tensors, const char* suffix, TensorRole role, std::vector<int64_t> shape) const {
    require(bounded_size(shape) >= 0, std::string(suffix) + " is too large");
    tensors.push_back({layer_.name + "." + suffix, layer_.name, role, std::move(shape)});
  }

  ImageShape window(ImageShape in, Extent kernel, Extent stride, Extent padding, bool ceil_mode) const {
    ImageShape out = in;
    for (int axis : {0, 1}) {
      require(kernel[axis] >= 1 && stride[axis] >= 1 && padding[axis] >= 0,
              "kernel and stride are at least 1, padding at least 0");
      const int64_t largest = std::max({kernel[axis], stride[axis], padding[axis]});
      require(largest <= kLargestExtent, "kernel, stride and padding are at most " + std::to_string(kLargestExtent));
      const int64_t size = axis == 0 ? in.height : in.width;
      require(size + 2 * padding[axis] >= kernel[axis], "the input of " + text(in) + " is smaller than the window");
      (axis == 0 ? out.height : out.width) = window_output_size(size, kernel[axis], stride[axis], padding[axis], ceil_mode);
    }
    return out;
  }

  ImageShape input(const Input& l, ImageShape image) const {
    require(first_, "the input is the first layer and the only one of its kind");
    require(inputs_.empty(), "the input layer reads no other");
    require(image.channels >= 1 && image.height >= 1 && image.width >= 1, "the input of " + text(image) + " is empty");
    const auto channels = static_cast<size_t>(image.channels);
    require(l.scale.size() == channels && l.shift.size() == channels, "scale and shift want one value a channel");
    return image;
  }

  ImageShape convolution(const Convolution& l, std::vector<TensorInfo>& tensors) const {
    const ImageShape in = only_input();
    require(l.out_channels >= 1, "outChannels is at least 1");
    require(l.groups >= 1 && in.channels % l.groups == 0 && l.out_channels % l.groups == 0,
            "groups must divide " + std::to_string(in.channels) + " input and " + std::to_string(l.out_channels) +
                " output channels");
    ImageShape out = window(in, l.kernel, l.stride, l.padding, false);
    out.channels = l.out_channels;
    tensor(tensors, "weight", TensorRole::kWeight, {l.out_channels, in.channels / l.groups, l.kernel[0], l.kernel[1]});
    if (l.bias) tensor(tensors, "bias", TensorRole::kBias, {l.out_channels});
    return out;
  }

  ImageShape batch_norm(const BatchNorm& l, std::vector<TensorInfo>& tensors) const {
    const ImageShape in = only_input();
    require(l.epsilon > 0, "epsilon is above 0");
    require(l.momentum >= 0 && l.momentum <= 1, "momentum lies in 0..1");
    tensor(tensors, "weight", TensorRole::kBias, {in.channels});
    tensor(tensors, "bias", TensorRole::kBias, {in.channels});
    tensor(tensors, "running_mean", TensorRole::kStatistic, {in.channels});
    tensor(tensors, "running_var", TensorRole::kStatistic, {in.channels});
    return in;
  }

  ImageShape relu(const Relu& l) const {
    require(!l.max || *l.max > 0, "max is above 0");
    return only_input();
  }

  ImageShape add() const {
    require(inputs_.size() == 2, "wants exactly two inputs, got " + std::to_string(inputs_.size()));
    require(inputs_[0] == inputs_[1], "cannot add " + text(inputs_[0]) + " and " + text(inputs_[1]));
    return inputs_[0];
  }

  ImageShape concat() const {
    require(inputs_.size() >= 2, "wants at least two inputs");
    ImageShape out = inputs_[0];
    for (size_t i = 1; i < inputs_.size(); ++i) {
      require(inputs_[i].height == out.height && inputs_[i].width == out.width,
              "cannot concatenate " + text(inputs_[0]) + " and " + text(inputs_[i]));
      out.channels += inputs_[i].channels;
    }
    return out;
  }

  ImageShape pool(const Pool& l) const {
    for (int axis : {0, 1}) require(2 * l.padding[axis] <= l.kernel[axis], "padding is at most half the kernel");
    require(l.kind == Pool::Kind::kAverage || l.kernel[0] * l.kernel[1] <= 255, "a maximum's window has at most 255 positions");
    return window(only_input(), l.kernel, l.stride, l.padding, l.ceil_mode);
  }

  ImageShape global_average_pool() const { return {only_input().channels, 1, 1}; }

  ImageShape dropout(const Dropout& l) const {
    require(l.probability >= 0 && l.probability < 1, "probability lies in 0..1, 1 excluded");
    return only_input();
  }

  ImageShape fully_connected(const FullyConnected& l, std::vector<TensorInfo>& tensors) const {
    require(l.out_features >= 1, "outFeatures is at least 1");
    tensor(tensors, "weight", TensorRole::kWeight, {l.out_features, only_input().size()});
    if (l.bias) tensor(tensors, "bias", TensorRole::kBias, {l.out_features});
    return {l.out_features, 1, 1};
  }

  ImageShape softmax() const {
    require(last_, "softmax is the last layer and the only one of its kind");
    const ImageShape in = only_input();
    require(in.height == 1 && in.width == 1, "softmax wants logits of height and width 1, got " + text(in));
    return in;
  }

  const Layer& layer_;
  std::vector<ImageShape> inputs_;
  bool first_;
  bool last_;
};

}  // namespace

int64_t TensorInfo::size() const { return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()); }

Graph::Graph(const std::vector<Layer>& layers, ImageShape input) {
  if (layers.empty()) throw Error(Reason::kInvalidGraph, "the graph has no layers");
  if (!std::holds_alternative<Input>(layers.front().kind)) refuse(layers.front().name, "the first layer must be the input");
  if (!std::holds_alternative<Softmax>(layers.back().kind)) refuse(layers.back().name, "the last layer must be softmax");

  std::map<std::string, int> index_of;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const int index = static_cast<int>(i);
    if (layer.name.empty()) refuse(layer.name, "a layer needs a name");
    Node node{layer.name, layer.kind, {}, {}, {}, {}};
    std::vector<ImageShape> shapes;
    for (const std::string& name : layer.inputs) {
      const auto found = index_of.find(name);
      if (found == index_of.end()) refuse(layer.name, "no layer before it has the name '" + name + "'");
      node.inputs.push_back(found->second);
      nodes_[static_cast<size_t>(found->second)].consumers.push_back(index);
      shapes.push_back(nodes_[static_cast<size_t>(found->second)].shape);
    }
    if (!index_of.emplace(layer.name, index).second) refuse(layer.name, "the name is used twice");

    const size_t first_tensor = tensors_.size();
    node.shape = LayerCheck(layer, std::move(shapes), i == 0, i + 1 == layers.size()).output(input, tensors_);
    for (size_t t = first_tensor; t < tensors_.size(); ++t) node.tensors.push_back(static_cast<int>(t));
    nodes_.push_back(std::move(node));
  }
  for (size_t i = 0; i + 1 < nodes_.size(); ++i) {
    if (nodes_[i].consumers.empty()) refuse(nodes_[i].name, "no layer reads its output");
  }
}

int64_t Graph::parameter_count() const {
  int64_t count = 0;
  for (const TensorInfo& tensor : tensors_) count += tensor.role == TensorRole::kStatistic ? 0 : tensor.size();
  return count;
}

const char* kind_name(const LayerKind& kind) {
  return std::visit(
      Overloaded{[](const Input&) { return "input"; }, [](const Convolution&) { return "convolution"; },
                 [](const BatchNorm&) { return "batch_norm"; }, [](const Relu&) { return "relu"; },
                 [](const Add&) { return "add"; }, [](const Concat&) { return "concat"; },
                 [](const Pool& l) { return l.kind == Pool::Kind::kMax ? "max_pool" : "average_pool"; },
                 [](const GlobalAveragePool&) { return "global_average_pool"; }, [](const Dropout&) { return "dropout"; },
                 [](const FullyConnected&) { return "fully_connected"; }, [](const Softmax&) { return "softmax"; }},
      kind);
}

int64_t window_output_size(int64_t input, int64_t kernel, int64_t stride, int64_t padding, bool ceil_mode) {
  const int64_t span = input + 2 * padding - kernel;
  int64_t output = span / stride + 1;
  if (ceil_mode && span % stride != 0 && output * stride < input + padding) ++output;
  return output;
}

}  // namespace dl
