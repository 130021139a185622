#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace dl::cuda {

/// The folders of Python packages that may hold NVIDIA's libraries: of the active virtual environment, of one in the working
/// folder, of the user, of the system; and what `npm run build:cuda -- --install` fetched. Only those that exist, in this order.
std::vector<std::filesystem::path> site_packages();

/// Where to look for a library, in this order: where the system looks, NVIDIA's wheels, PyTorch's own folder, the CUDA toolkit.
///
/// @param name        for instance "libcudnn.so.9"
/// @param wheel_folders  below a folder of Python packages, for instance "nvidia/cudnn/lib"
std::vector<std::string> candidates(const std::string& name, const std::vector<std::string>& wheel_folders,
                                    const std::vector<std::filesystem::path>& packages);

}  // namespace dl::cuda
