// A program of somebody else's, that needs the headers, the library and its exceptions' types.
#include <jumpcut/error.hpp>
#include <jumpcut/lowlevel/context.hpp>

int main() try {
  jumpcut::lowlevel::Context context({}, nullptr, nullptr);
  return 1;
} catch (const jumpcut::ValueError&) {
  return 0;
}
