#include "system_error.hpp"

#include <jumpcut/error.hpp>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <system_error>

#include <sys/resource.h>

namespace jumpcut::impl {

void throw_system_error(int error, const char* format, ...) {
  char what[160];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  switch (error) {
    case EMFILE: {
      rlimit limit{};
      getrlimit(RLIMIT_NOFILE, &limit);
      throw ResourceError(
          "%s: all %llu descriptors that RLIMIT_NOFILE allows are in use; raise it with `ulimit "
          "-n` "
          "or setrlimit",
          what, static_cast<unsigned long long>(limit.rlim_cur));
    }
    case ENFILE:
      throw ResourceError(
          "%s: the system has no descriptor left; raise it with `sysctl fs.file-max`", what);
    case ENOMEM:
      throw ResourceError("%s: the kernel has no memory for it", what);
    default:
      throw std::system_error(error, std::generic_category(), what);
  }
}

}  // namespace jumpcut::impl
