// The functions that an ELF file names: also its static ones, which the dynamic linker can't find.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <link.h>

namespace jumpcut::impl {

/// The symbol table of a file that is loaded. Finds nothing if the file can't be read, or isn't the
/// one any more that was loaded.
class ElfSymbols {
 public:
  /// `headers` are the program headers in memory.
  ElfSymbols(const char* path, std::span<const ElfW(Phdr)> headers);
  ElfSymbols(const ElfSymbols&) = delete;
  ElfSymbols& operator=(const ElfSymbols&) = delete;
  ~ElfSymbols();

  /// The function that contains the address, which counts as the file does; mangled. Null if none
  /// is known. Lives as long as this.
  const char* find(std::uintptr_t address) const noexcept;

 private:
  struct Function {
    std::uintptr_t begin;
    std::uintptr_t end;
    const char* name;
  };

  bool map(const char* path);
  bool is_loaded_as(std::span<const ElfW(Phdr)> headers) const noexcept;
  void read();
  /// Part of the file, or null if it has no such part.
  template <class T>
  const T* at(std::uint64_t offset, std::uint64_t count) const noexcept;

  std::byte* file_ = nullptr;
  std::size_t size_ = 0;
  std::vector<Function> functions_;  // sorted by begin
};

}  // namespace jumpcut::impl
