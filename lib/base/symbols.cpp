#include "symbols.hpp"

#include "base/elf_symbols.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <cxxabi.h>
#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

namespace jumpcut::impl {

struct Symbols::Object {
  std::string path;  // empty: the program itself
  std::uintptr_t base = 0;
  std::vector<ElfW(Phdr)> headers;
  std::unique_ptr<ElfSymbols> symbols;

  bool contains(std::uintptr_t address) const noexcept {
    return std::any_of(headers.begin(), headers.end(), [&](const ElfW(Phdr) & header) {
      return header.p_type == PT_LOAD && address - base - header.p_vaddr < header.p_memsz;
    });
  }
};

namespace {

std::string file_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::string program_path() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "program";
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

/// Whether the name is one of jumpcut::impl, jumpcut::lowlevel, or the assembly.
bool names_runtime(std::string_view mangled) noexcept {
  if (mangled.starts_with("jumpcut_")) return true;
  if (!mangled.starts_with("_Z")) return false;
  // Past what says that it is nested, local to a function, or const.
  mangled.remove_prefix(std::min(mangled.find_first_not_of("ZNKL", 2), mangled.size()));
  return mangled.starts_with("7jumpcut4impl") || mangled.starts_with("7jumpcut8lowlevel");
}

}  // namespace

std::string demangle(const char* mangled) {
  int status = 0;
  char* text = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  if (text == nullptr) return mangled;
  std::string result(text);
  std::free(text);
  // ".cold" and the like: parts of the same function.
  if (auto clone = result.find(" [clone "); clone != result.npos) result.resize(clone);
  replace_all(result,
              "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
              "std::string");
  replace_all(result, "std::__cxx11::", "std::");
  replace_all(result, "[abi:cxx11]", "");
  return result;
}

std::string Symbol::text() const {
  char place[32];
  std::snprintf(place, sizeof place, "+0x%zx", offset);
  std::string where = object.empty() ? place + 1 : object + place;
  return function.empty() ? where : function + " (" + where + ")";
}

Symbols::Symbols() {
  const auto add = [](dl_phdr_info* info, std::size_t, void* argument) {
    Object object{.path = info->dlpi_name,
                  .base = info->dlpi_addr,
                  .headers = {info->dlpi_phdr, info->dlpi_phdr + info->dlpi_phnum},
                  .symbols = nullptr};
    static_cast<std::vector<Object>*>(argument)->push_back(std::move(object));
    return 0;
  };
  dl_iterate_phdr(add, &objects_);
}

Symbols::~Symbols() = default;

Symbol Symbols::find(std::uintptr_t address) {
  Symbol found{.offset = address};
  auto object = std::find_if(objects_.begin(), objects_.end(),
                             [&](const Object& each) { return each.contains(address); });
  if (object == objects_.end()) return found;

  const bool is_program = object->path.empty();
  found.object = file_name(is_program ? program_path() : object->path);
  found.offset = address - object->base;
  if (object->symbols == nullptr) {
    const char* file = is_program ? "/proc/self/exe" : object->path.c_str();
    object->symbols = std::make_unique<ElfSymbols>(file, object->headers);
  }
  const char* name = object->symbols->find(found.offset);
  Dl_info info{};
  if (name == nullptr && dladdr(reinterpret_cast<void*>(address), &info) != 0) {
    name = info.dli_sname;  // of what has no file: the kernel's vdso
  }
  if (name == nullptr) {
    // What has no name in a stripped library of ours was not exported.
    found.is_runtime = !is_program && object->contains(reinterpret_cast<std::uintptr_t>(&demangle));
    return found;
  }
  found.mangled = name;
  found.function = demangle(name);
  found.is_runtime = names_runtime(found.mangled);
  return found;
}

}  // namespace jumpcut::impl
