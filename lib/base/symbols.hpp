// The names of functions, from addresses inside them; without any tool, for reports.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace jumpcut::impl {

class ElfSymbols;

/// What is known of an address.
struct Symbol {
  std::string mangled = {};   ///< as the linker knows the function; empty if it has no name
  std::string function = {};  ///< as one would write it
  std::string object = {};    ///< the program or library: its file's name, without folders
  std::uintptr_t offset = 0;  ///< in there, for addr2line
  bool is_runtime = false;    ///< belongs to what is under the public names of jumpcut

  /// "function (object+0xoffset)", or as much of it as is known.
  std::string text() const;
};

/// Reads each object's symbols when they are first asked for, and forgets all at its end: one for
/// each report.
class Symbols {
 public:
  /// Knows what is loaded now.
  Symbols();
  Symbols(const Symbols&) = delete;
  Symbols& operator=(const Symbols&) = delete;
  ~Symbols();

  /// `address` is inside the function; for a call that is the byte before where it returns to.
  Symbol find(std::uintptr_t address);

 private:
  struct Object;
  std::vector<Object> objects_;
};

/// A name as one would write it; as it is, if it isn't mangled.
std::string demangle(const char* mangled);

}  // namespace jumpcut::impl
