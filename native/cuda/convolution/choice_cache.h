#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "cuda/convolution/engine_choice.h"

namespace dl::cuda {

/// Which engine was measured to be the quickest for a convolution, kept in a file across processes: a convolution is measured
/// once on a machine, and from then on computed the same way, so that its bits repeat, too. A file that cannot be read or written
/// is no error: then the measurement is made again. One thread.
class ChoiceCache {
 public:
  /// `device` names all that an engine's speed and meaning depend on: the GPU, cuDNN's version. Another has another file.
  ChoiceCache(const std::filesystem::path& folder, const std::string& device);

  std::optional<EngineChoice> find(const std::string& key) const;
  /// Writes the file anew beside the old one and puts it in its place: a reader sees the one or the other.
  void add(const std::string& key, const EngineChoice& choice);

  const std::filesystem::path& file() const { return file_; }

 private:
  void read();

  std::filesystem::path file_;
  std::map<std::string, EngineChoice> choices_;
};

/// $XDG_CACHE_HOME/dl-classifier, or .cache/dl-classifier in the home folder; empty where there is neither.
std::filesystem::path cache_folder();

}  // namespace dl::cuda
