#include "cuda/libraries/search_path.h"

#include <algorithm>
#include <cstdlib>

namespace dl::cuda {
namespace {

namespace fs = std::filesystem;

/// Adds lib/python3.*/PACKAGES of a prefix, the newest Python first.
void add_packages_of(const fs::path& prefix, std::vector<fs::path>& found) {
  std::error_code error;
  std::vector<fs::path> versions;
  for (const auto& entry : fs::directory_iterator(prefix / "lib", error)) {
    if (entry.path().filename().string().starts_with("python3")) versions.push_back(entry.path());
  }
  const auto minor = [](const fs::path& path) {
    const std::string name = path.filename();
    return name.size() > 8 ? std::atoi(name.c_str() + 8) : 0;  // behind "python3."
  };
  std::sort(versions.begin(), versions.end(), [&](const fs::path& a, const fs::path& b) { return minor(a) > minor(b); });
  for (const fs::path& version : versions)
    for (const char* packages : {"site-packages", "dist-packages"})
      if (fs::is_directory(version / packages, error)) found.push_back(version / packages);
}

}  // namespace

std::vector<fs::path> site_packages() {
  std::vector<fs::path> found;
  std::error_code error;
  if (const char* environment = std::getenv("VIRTUAL_ENV")) add_packages_of(environment, found);
  const fs::path here = fs::current_path(error);
  if (!error) {
    if (fs::is_directory(here / ".cache/cuda", error)) found.push_back(here / ".cache/cuda");
    add_packages_of(here / ".venv", found);
  }
  if (const char* conda = std::getenv("CONDA_PREFIX")) add_packages_of(conda, found);
  if (const char* home = std::getenv("HOME")) add_packages_of(fs::path(home) / ".local", found);
  add_packages_of("/usr/local", found);
  add_packages_of("/usr", found);
  if (fs::is_directory("/usr/lib/python3/dist-packages", error)) found.emplace_back("/usr/lib/python3/dist-packages");
  add_packages_of("/opt/conda", found);
  return found;
}

std::vector<std::string> candidates(const std::string& name, const std::vector<std::string>& wheel_folders,
                                    const std::vector<fs::path>& packages) {
  std::vector<std::string> files{name};
  for (const fs::path& package : packages)
    for (const std::string& folder : wheel_folders) files.push_back(package / folder / name);
  for (const fs::path& package : packages) files.push_back(package / "torch/lib" / name);
  files.push_back(fs::path("/usr/local/cuda/lib64") / name);
  return files;
}

}  // namespace dl::cuda
