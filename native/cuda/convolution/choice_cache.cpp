#include "cuda/convolution/choice_cache.h"

#include <unistd.h>

#include <atomic>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <fstream>

namespace dl::cuda {
namespace {

namespace fs = std::filesystem;

/// Another one where a choice means something else, or others were to choose from: 1 had no knobs.
constexpr const char* kVersion = "2";

/// A device's name as a file's name.
std::string file_name(const std::string& device) {
  std::string name = std::string("convolutions-") + kVersion + "-";
  for (const char c : device) name += std::isalnum(static_cast<unsigned char>(c)) || c == '.' ? c : '-';
  return name + ".txt";
}

}  // namespace

ChoiceCache::ChoiceCache(const fs::path& folder, const std::string& device) {
  if (folder.empty()) return;
  file_ = folder / file_name(device);
  read();
}

void ChoiceCache::read() {
  std::ifstream file(file_);
  std::string line;
  // A line without an end may be the beginning of another choice.
  while (std::getline(file, line) && !file.eof()) {
    const size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    // What this process has chosen stays: plans are bound with it, and later ones must compute the same.
    if (const auto choice = to_choice(line.substr(space + 1))) choices_.try_emplace(line.substr(0, space), *choice);
  }
}

std::optional<EngineChoice> ChoiceCache::find(const std::string& key) const {
  const auto found = choices_.find(key);
  if (found == choices_.end()) return std::nullopt;
  return found->second;
}

void ChoiceCache::add(const std::string& key, const EngineChoice& choice) {
  if (!file_.empty()) read();  // what other processes have found meanwhile
  choices_[key] = choice;
  if (file_.empty()) return;
  std::error_code error;
  fs::create_directories(file_.parent_path(), error);
  // Two devices of a process may be of one kind.
  static std::atomic<uint64_t> written = 0;
  const fs::path beside = file_.string() + "." + std::to_string(getpid()) + "." + std::to_string(++written);
  {
    std::ofstream file(beside);
    for (const auto& [name, chosen] : choices_) file << name << ' ' << to_text(chosen) << '\n';
    file.flush();
    if (!file) {
      fs::remove(beside, error);
      return;
    }
  }
  fs::rename(beside, file_, error);
}

fs::path cache_folder() {
  if (const char* folder = std::getenv("XDG_CACHE_HOME"); folder != nullptr && *folder != '\0')
    return fs::path(folder) / "dl-classifier";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return fs::path(home) / ".cache/dl-classifier";
  return {};
}

}  // namespace dl::cuda
