#pragma once

#include <string>
#include <vector>

namespace dl {

/// A library that was opened at run time; it stays open as long as the process lives, for what it started may still use it.
class SharedLibrary {
 public:
  /// Opens the first of these files that can be opened; a name without a folder is looked for where the system looks. After a
  /// failure opened() is false and problem() says why.
  explicit SharedLibrary(const std::vector<std::string>& files);

  bool opened() const { return handle_ != nullptr; }
  /// The file that was opened.
  const std::string& file() const { return file_; }
  /// What the system said of the last file that exists but cannot be opened, else of the first.
  const std::string& problem() const { return problem_; }
  /// Null where the library has no such symbol.
  void* symbol(const char* name) const;

 private:
  void* handle_ = nullptr;
  std::string file_;
  std::string problem_;
};

}  // namespace dl
