// overflow: a task that uses up its stack ends the program with its name, in a release build too.
// The overflow happens in a child process, so that this one can show what it said.
//
//   $ ./overflow
//   jumpcut: stack overflow in fiber 'tree walk': ...
//   The child was ended by signal 11.

#include <jumpcut/jumpcut.hpp>

#include <cstdio>
#include <string>
#include <string_view>

#include <sys/wait.h>
#include <unistd.h>

namespace {

int depth(int node) {
  volatile char scratch[1000] = {};
  return node < 0 ? scratch[0] : 1 + depth(node + 1) + scratch[999];
}

void overflow() {
  jumpcut::run([] {
    await(jumpcut::create_task([] { std::printf("%d\n", depth(0)); }, {.name = "tree walk"}));
  });
}

}  // namespace

int main() {
  int ends[2];
  if (pipe(ends) != 0) return 1;
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    overflow();
    return 0;
  }
  close(ends[1]);
  char text[1024];
  const ssize_t length = read(ends[0], text, sizeof text);
  const std::string_view said(text, length > 0 ? static_cast<std::size_t>(length) : 0);
  std::printf("%.*s ...\n", static_cast<int>(said.find(": its") + 1), text);
  int status = 0;
  waitpid(child, &status, 0);
  std::printf("The child was ended by signal %d.\n", WTERMSIG(status));
}
