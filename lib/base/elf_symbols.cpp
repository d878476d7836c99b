#include "elf_symbols.hpp"

#include <algorithm>
#include <cstring>

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jumpcut::impl {

ElfSymbols::ElfSymbols(const char* path, std::span<const ElfW(Phdr)> headers) {
  if (map(path) && is_loaded_as(headers)) read();
}

ElfSymbols::~ElfSymbols() {
  if (file_ != nullptr) munmap(file_, size_);
}

bool ElfSymbols::map(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat status {};
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory != MAP_FAILED) {
      file_ = static_cast<std::byte*>(memory);
      size_ = size;
    }
  }
  close(fd);
  return file_ != nullptr;
}

template <class T>
const T* ElfSymbols::at(std::uint64_t offset, std::uint64_t count) const noexcept {
  if (offset > size_ || count > (size_ - offset) / sizeof(T) || offset % alignof(T) != 0) {
    return nullptr;
  }
  return reinterpret_cast<const T*>(file_ + offset);
}

/// An upgrade puts another file under the name: its names would be wrong.
bool ElfSymbols::is_loaded_as(std::span<const ElfW(Phdr)> headers) const noexcept {
  const auto* head = at<ElfW(Ehdr)>(0, 1);
  if (head == nullptr || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0) return false;
  if (head->e_phentsize != sizeof(ElfW(Phdr)) || head->e_phnum != headers.size()) return false;
  const auto* in_file = at<ElfW(Phdr)>(head->e_phoff, head->e_phnum);
  return in_file != nullptr && std::memcmp(in_file, headers.data(), headers.size_bytes()) == 0;
}

void ElfSymbols::read() {
  const auto* head = at<ElfW(Ehdr)>(0, 1);
  const auto* sections = at<ElfW(Shdr)>(head->e_shoff, head->e_shnum);
  if (sections == nullptr || head->e_shentsize != sizeof(ElfW(Shdr))) return;

  // The dynamic one is all that a stripped file has.
  const ElfW(Shdr)* table = nullptr;
  for (const auto& section : std::span(sections, head->e_shnum)) {
    if (section.sh_type == SHT_SYMTAB) table = &section;
    if (section.sh_type == SHT_DYNSYM && table == nullptr) table = &section;
  }
  if (table == nullptr || table->sh_link >= head->e_shnum) return;
  const std::size_t count = table->sh_size / sizeof(ElfW(Sym));
  const auto* symbols = at<ElfW(Sym)>(table->sh_offset, count);
  const auto& strings = sections[table->sh_link];
  const char* names = at<char>(strings.sh_offset, strings.sh_size);
  if (symbols == nullptr || names == nullptr || strings.sh_size == 0) return;
  if (names[strings.sh_size - 1] != '\0') return;

  for (const auto& symbol : std::span(symbols, count)) {
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if (type != STT_FUNC && type != STT_GNU_IFUNC) continue;
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_size == 0) continue;
    if (symbol.st_name >= strings.sh_size) continue;
    functions_.push_back(
        {symbol.st_value, symbol.st_value + symbol.st_size, names + symbol.st_name});
  }
  std::sort(functions_.begin(), functions_.end(),
            [](const Function& a, const Function& b) { return a.begin < b.begin; });
}

const char* ElfSymbols::find(std::uintptr_t address) const noexcept {
  auto after = std::upper_bound(
      functions_.begin(), functions_.end(), address,
      [](std::uintptr_t wanted, const Function& function) { return wanted < function.begin; });
  if (after == functions_.begin()) return nullptr;
  const Function& function = *--after;
  return address < function.end ? function.name : nullptr;
}

}  // namespace jumpcut::impl
