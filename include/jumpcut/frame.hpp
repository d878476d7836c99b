#pragma once

#include <jumpcut/impl/export.hpp>

#include <cstdint>
#include <string>

namespace jumpcut {

/// A call on a task's stack.
struct JUMPCUT_API Frame {
  std::string function = {};  ///< with its parameters; empty if its name is not known
  std::string object = {};    ///< the program or library that it is in: the file's name
  std::uintptr_t offset = 0;  ///< in there, for addr2line

  /// "function (object+0xoffset)", or as much of it as is known.
  std::string text() const;
};

}  // namespace jumpcut
