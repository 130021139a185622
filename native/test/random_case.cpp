#include <map>

#include "reference/layers.h"
#include "test/cases.h"
#include "test/network.h"

namespace dl::test {
namespace {

/// Adds random layers to a network; knows the shape of each.
class Grower {
 public:
  Grower(Random& random, ImageShape input, int64_t batch_size)
      : random_(random), batch_size_(batch_size), network_(input.channels) {
    record(input);
  }

  void grow() {
    const std::string from = random_.chance(0.7) ? network_.last() : any();
    const ImageShape in = shapes_.at(from);
    switch (random_.integer(0, 9)) {
      case 0:
      case 1:
      case 2:
        return window(from, random_convolution(in));
      case 3:
        // Few values a channel make the normalised gradient a difference of nearly equal numbers.
        if (batch_size_ * in.height * in.width < 8) return add(from, Relu{}, in);
        return add(from, BatchNorm{random_.chance(0.5) ? 1e-5 : 1e-3, 0.1}, in);
      case 4:
      case 5:
        return add(from, random_.chance(0.3) ? Relu{random_.uniform(0.3, 2)} : Relu{}, in);
      case 6:
        return window(from, random_pool(in));
      case 7:
        return add(from, Dropout{random_.uniform(0, 0.7)}, in);
      default:
        return merge(from);
    }
  }

  /// Everything that nobody reads yet is pooled and concatenated in front of the classes.
  std::vector<Layer> finish(int64_t classes) {
    std::vector<std::string> open;
    for (const Layer& layer : std::vector<Layer>(network_.layers())) {
      if (read_.contains(layer.name)) continue;
      network_.from(layer.name, GlobalAveragePool{});
      open.push_back(network_.last());
    }
    if (open.size() > 1) network_.join(Concat{}, open);
    return network_.classify_flat(classes, random_.chance(0.7));
  }

 private:
  std::string any() { return network_.layers()[random_.integer(0, static_cast<int64_t>(network_.layers().size()) - 1)].name; }

  void record(ImageShape shape) { shapes_[network_.last()] = shape; }

  void add(const std::string& from, const LayerKind& kind, ImageShape out) {
    network_.from(from, kind);
    read_[from] = true;
    record(out);
  }

  void window(const std::string& from, const auto& layer) {
    const ImageShape in = shapes_.at(from);
    ImageShape out = in;
    bool ceil_mode = false;
    if constexpr (requires { layer.ceil_mode; }) ceil_mode = layer.ceil_mode;
    if constexpr (requires { layer.out_channels; }) out.channels = layer.out_channels;
    out.height = reference::count_windows(in.height, layer.kernel[0], layer.stride[0], layer.padding[0], ceil_mode);
    out.width = reference::count_windows(in.width, layer.kernel[1], layer.stride[1], layer.padding[1], ceil_mode);
    add(from, layer, out);
  }

  void random_extents(ImageShape in, auto& layer) {
    for (const int axis : {0, 1}) {
      const int64_t size = axis == 0 ? in.height : in.width;
      do {
        layer.kernel[axis] = random_.integer(1, 4);
        layer.padding[axis] = random_.integer(0, layer.kernel[axis] / 2);
      } while (layer.kernel[axis] > size + 2 * layer.padding[axis]);
      layer.stride[axis] = random_.chance(0.7) ? 1 : random_.integer(2, 3);
    }
  }

  Convolution random_convolution(ImageShape in) {
    Convolution layer;
    random_extents(in, layer);
    const bool depthwise = random_.chance(0.2);
    const bool blocked = random_.chance(0.4);
    layer.groups = depthwise ? in.channels : in.channels % 2 == 0 && random_.chance(0.3) ? 2 : 1;
    layer.out_channels = depthwise ? in.channels : blocked ? 16 * random_.integer(1, 2) : layer.groups * random_.integer(1, 11);
    layer.bias = random_.chance(0.4);
    return layer;
  }

  Pool random_pool(ImageShape in) {
    Pool layer;
    layer.kind = random_.chance(0.5) ? Pool::Kind::kMax : Pool::Kind::kAverage;
    random_extents(in, layer);
    layer.ceil_mode = random_.chance(0.5);
    layer.count_include_pad = random_.chance(0.5);
    return layer;
  }

  /// A sum with a layer of the same shape, or a concatenation of layers of the same size.
  void merge(const std::string& from) {
    const ImageShape in = shapes_.at(from);
    const std::string other = any();
    const ImageShape partner = shapes_.at(other);
    if (partner == in && random_.chance(0.7)) {
      network_.join(Add{}, {from, other});
      record(in);
    } else if (partner.height == in.height && partner.width == in.width) {
      network_.join(Concat{}, {from, other});
      record({in.channels + partner.channels, in.height, in.width});
    } else {
      return window(from, random_convolution(in));
    }
    read_[from] = read_[other] = true;
  }

  Random& random_;
  int64_t batch_size_;
  Network network_;
  std::map<std::string, ImageShape> shapes_;
  std::map<std::string, bool> read_;
};

}  // namespace

EngineCase random_case(uint64_t seed) {
  Random random(seed);
  const ImageShape input{random.chance(0.5) ? 3 : 1, random.integer(5, 12), random.integer(5, 12)};
  const int64_t batch_size = random.integer(1, 4);
  Grower grower(random, input, batch_size);
  for (int64_t layers = random.integer(2, 10); layers > 0; --layers) grower.grow();
  const PixelFormat format = random.chance(0.5) ? PixelFormat::kUint8 : PixelFormat::kFloat32;
  const int64_t multiplier = random.chance(0.3) ? 2 : 1;
  const std::vector<Layer> layers = grower.finish(random.integer(2, 6));
  return {"random network " + std::to_string(seed), input, batch_size, layers, format, multiplier};
}

}  // namespace dl::test
