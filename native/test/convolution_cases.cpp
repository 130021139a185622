#include "test/cases.h"
#include "test/network.h"

namespace dl::test {
namespace {

struct Row {
  const char* name;
  ImageShape input;  // of the convolution under test: channels as the front convolution makes them
  Convolution layer;
  int64_t batch_size = 2;
};

// Channel counts that are and are not multiples of 16 and 8, odd sizes, batch 1.
const Row kRows[] = {
    {"3x3, 16 to 16", {16, 8, 8}, {16, {3, 3}, {1, 1}, {1, 1}, 1, false}},
    {"3x3, 16 to 32", {16, 6, 5}, {32, {3, 3}, {1, 1}, {1, 1}, 1, false}},
    {"3x3, 5 to 7", {5, 7, 5}, {7, {3, 3}, {1, 1}, {1, 1}, 1, false}},
    {"3x3, 17 to 33", {17, 5, 7}, {33, {3, 3}, {1, 1}, {1, 1}, 1, false}},
    {"3x3, 8 to 24, batch 1", {8, 9, 9}, {24, {3, 3}, {1, 1}, {1, 1}, 1, false}, 1},
    {"3x3, 64 to 64, batch 1", {64, 7, 7}, {64, {3, 3}, {1, 1}, {1, 1}, 1, false}, 1},
    {"3x3, 64 to 128, odd size", {64, 7, 9}, {128, {3, 3}, {1, 1}, {1, 1}, 1, false}, 3},
    {"3x3, 128 to 64 without padding", {128, 9, 8}, {64, {3, 3}, {1, 1}, {0, 0}, 1, false}},
    {"3x3, 96 to 64, padding 2 and 0", {96, 6, 8}, {64, {3, 3}, {1, 1}, {2, 0}, 1, false}},
    {"3x3, 64 to 96 with bias", {64, 8, 8}, {96, {3, 3}, {1, 1}, {1, 1}, 1, true}},
    {"3x3, 64 to 64, thousands of pixels", {64, 40, 38}, {64, {3, 3}, {1, 1}, {1, 1}, 1, true}, 3},
    {"3x3, 1 to 16", {1, 6, 6}, {16, {3, 3}, {1, 1}, {1, 1}, 1, false}},
    {"3x3, 16 to 1", {16, 6, 6}, {1, {3, 3}, {1, 1}, {1, 1}, 1, false}},
    {"3x3 without padding", {6, 7, 7}, {10, {3, 3}, {1, 1}, {0, 0}, 1, false}},
    {"3x3 stride 2, even size", {16, 8, 8}, {16, {3, 3}, {2, 2}, {1, 1}, 1, false}},
    {"3x3 stride 2, odd size", {16, 9, 7}, {32, {3, 3}, {2, 2}, {1, 1}, 1, false}},
    {"3x3 stride 3 leaves rows unread", {6, 8, 8}, {6, {3, 3}, {3, 3}, {0, 0}, 1, false}},
    {"3x3 stride 2, 64 to 96, odd size", {64, 9, 11}, {96, {3, 3}, {2, 2}, {1, 1}, 1, false}},
    {"3x3 stride 2, 37 to 50 with bias", {37, 11, 8}, {50, {3, 3}, {2, 2}, {1, 1}, 1, true}},
    {"3x3 stride 2, 32 to 40, thousands of pixels", {32, 60, 58}, {40, {3, 3}, {2, 2}, {1, 1}, 1, false}, 3},
    {"1x1, 330 to 70", {330, 5, 6}, {70, {1, 1}, {1, 1}, {0, 0}, 1, false}},
    {"1x1, 48 to 80 with bias, thousands of pixels", {48, 40, 38}, {80, {1, 1}, {1, 1}, {0, 0}, 1, true}, 3},
    {"1x1 stride 2, 200 to 64, odd size", {200, 13, 15}, {64, {1, 1}, {2, 2}, {0, 0}, 1, false}, 3},
    {"1x1, 16 to 64", {16, 5, 5}, {64, {1, 1}, {1, 1}, {0, 0}, 1, false}},
    {"1x1, 7 to 3", {7, 5, 5}, {3, {1, 1}, {1, 1}, {0, 0}, 1, false}},
    {"1x1 stride 2, 16 to 32", {16, 8, 8}, {32, {1, 1}, {2, 2}, {0, 0}, 1, false}},
    {"1x1 stride 2, odd size, 6 to 10", {6, 7, 9}, {10, {1, 1}, {2, 2}, {0, 0}, 1, false}},
    {"1x1 stride 2, even size, 3 to 16", {3, 8, 8}, {16, {1, 1}, {2, 2}, {0, 0}, 1, false}},
    {"1x1 stride 1x2, 5 to 16", {5, 9, 8}, {16, {1, 1}, {1, 2}, {0, 0}, 1, false}},
    {"1x1 stride 2x1, 12 to 8 in 2 groups", {12, 8, 8}, {8, {1, 1}, {2, 1}, {0, 0}, 2, false}},
    {"1x1 with padding", {4, 3, 3}, {5, {1, 1}, {1, 1}, {1, 1}, 1, false}},
    {"5x5", {8, 9, 9}, {16, {5, 5}, {1, 1}, {2, 2}, 1, false}},
    {"7x7 stride 2 padding 3", {3, 15, 15}, {16, {7, 7}, {2, 2}, {3, 3}, 1, false}},
    {"kernel 5x1, stride 2x1, padding 2x0", {6, 9, 4}, {8, {5, 1}, {2, 1}, {2, 0}, 1, false}},
    {"kernel 1x7, padding 0x3", {16, 5, 9}, {16, {1, 7}, {1, 1}, {0, 3}, 1, false}},
    {"window as large as the input", {8, 4, 4}, {12, {4, 4}, {1, 1}, {0, 0}, 1, false}},
    {"window larger than the input", {8, 3, 3}, {12, {5, 5}, {1, 1}, {1, 1}, 1, false}},
    {"input 1 x 1", {16, 1, 1}, {16, {3, 3}, {1, 1}, {1, 1}, 1, false}, 4},
    {"padding wider than the kernel", {4, 3, 3}, {4, {2, 2}, {1, 1}, {3, 3}, 1, false}},
    {"2 groups of 16", {32, 6, 6}, {32, {3, 3}, {1, 1}, {1, 1}, 2, false}},
    {"2 groups of 8", {16, 6, 6}, {16, {3, 3}, {1, 1}, {1, 1}, 2, false}},
    {"4 groups, 12 to 20, stride 2", {12, 7, 7}, {20, {3, 3}, {2, 2}, {1, 1}, 4, false}},
    {"3 groups of 1x1", {9, 5, 5}, {6, {1, 1}, {1, 1}, {0, 0}, 3, true}},
    {"depthwise 16", {16, 8, 8}, {16, {3, 3}, {1, 1}, {1, 1}, 16, false}},
    {"depthwise 48 stride 1 and 2 without padding", {48, 12, 11}, {48, {3, 3}, {1, 2}, {0, 0}, 48, false}, 3},
    {"depthwise 16, thousands of pixels", {16, 40, 38}, {16, {3, 3}, {1, 1}, {1, 1}, 16, false}, 3},
    {"depthwise 13", {13, 7, 5}, {13, {3, 3}, {1, 1}, {1, 1}, 13, false}},
    {"depthwise 32 stride 2", {32, 9, 9}, {32, {3, 3}, {2, 2}, {1, 1}, 32, false}},
    {"depthwise 20 with bias, 5x5", {20, 7, 7}, {20, {5, 5}, {1, 1}, {2, 2}, 20, true}},
    {"depthwise with two filters a channel", {6, 5, 5}, {12, {3, 3}, {1, 1}, {1, 1}, 6, false}},
    {"depthwise 96 stride 2", {96, 10, 10}, {96, {3, 3}, {2, 2}, {1, 1}, 96, false}},
    {"depthwise 144", {144, 5, 5}, {144, {3, 3}, {1, 1}, {1, 1}, 144, false}},
    {"depthwise 192 stride 2, odd size", {192, 7, 5}, {192, {3, 3}, {2, 2}, {1, 1}, 192, false}},
    {"depthwise 32, padding 3 and 4", {32, 6, 5}, {32, {3, 3}, {1, 1}, {3, 4}, 32, false}},
    {"depthwise 16 stride 2, padding 3", {16, 7, 6}, {16, {3, 3}, {2, 2}, {3, 3}, 16, false}},
    {"depthwise 48 stride 3", {48, 11, 9}, {48, {3, 3}, {3, 3}, {1, 1}, 48, false}},
    {"depthwise 32, input 1 x 1", {32, 1, 1}, {32, {3, 3}, {1, 1}, {1, 1}, 32, false}, 4},
    {"1x1, 96 to 24", {96, 5, 5}, {24, {1, 1}, {1, 1}, {0, 0}, 1, false}},
    {"5x5 padding 2, 64 to 48, bias", {64, 6, 6}, {48, {5, 5}, {1, 1}, {2, 2}, 1, true}},
    {"5x5 padding 2, 64 to 96, many tiles", {64, 17, 18}, {96, {5, 5}, {1, 1}, {2, 2}, 1, true}, 4},
    {"11x11 stride 4 padding 2, bias", {3, 29, 33}, {16, {11, 11}, {4, 4}, {2, 2}, 1, true}},
    {"bias, 16 to 16", {16, 6, 6}, {16, {3, 3}, {1, 1}, {1, 1}, 1, true}},
    {"bias, 5 to 7, stride 2, batch 3", {5, 7, 7}, {7, {3, 3}, {2, 2}, {1, 1}, 1, true}, 3},
};

}  // namespace

std::vector<EngineCase> convolution_cases() {
  std::vector<EngineCase> cases;
  for (const Row& row : kRows) {
    Network network(2);
    network.then(convolution(row.input.channels, 1, 1, 0, 1, true)).then(row.layer);
    cases.push_back({row.name, {2, row.input.height, row.input.width}, row.batch_size, network.classify_flat(4)});
  }
  // As the first layer, where no gradient of the input is wanted.
  for (const int64_t channels : {1, 3}) {
    for (const PixelFormat format : {PixelFormat::kUint8, PixelFormat::kFloat32}) {
      for (const Convolution& layer : {convolution(16, 7, 2, 3), convolution(64, 7, 2, 3), convolution(10, 3, 1, 1),
                                       convolution(64, 3, 2, 1, 1, true), convolution(64, 11, 4, 2, 1, true)}) {
        const std::string name =
            "first layer, " + std::to_string(channels) + " channels to " + std::to_string(layer.out_channels);
        cases.push_back({name, {channels, 11, 13}, 2, Network(channels).then(layer).classify_flat(4), format});
      }
    }
  }
  return cases;
}

}  // namespace dl::test
