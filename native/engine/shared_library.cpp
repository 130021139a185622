#include "engine/shared_library.h"

#include <dlfcn.h>

#include <filesystem>

namespace dl {

SharedLibrary::SharedLibrary(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    handle_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      file_ = file;
      problem_.clear();
      return;
    }
    std::error_code ignored;
    const char* said = dlerror();
    if (problem_.empty() || std::filesystem::exists(file, ignored)) problem_ = said == nullptr ? file : said;
  }
}

void* SharedLibrary::symbol(const char* name) const { return dlsym(handle_, name); }

}  // namespace dl
