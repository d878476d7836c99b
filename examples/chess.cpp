// chess: an exhibition against 24 opponents, who take 55 s a move where the master takes 5 s; 30
// rounds. One board after the other, and all boards at once. On a virtual clock, so that half a day
// takes no time.
//
//   $ ./chess
//   one board after the other: 43200 s
//   all boards at once: 3600 s

#include <jumpcut/jumpcut.hpp>

#include <cstdio>
#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr int boards = 24;
constexpr int rounds = 30;

void move() {
  jumpcut::sleep(5s);
}
void answer() {
  jumpcut::sleep(55s);
}

void one_board_after_the_other() {
  for (int board = 0; board < boards; ++board) {
    for (int round = 0; round < rounds; ++round) {
      move();
      answer();
    }
  }
}

/// While the master goes round, the others think.
void all_boards_at_once() {
  std::vector<jumpcut::Task<>> answers(boards);
  for (int round = 0; round < rounds; ++round) {
    for (jumpcut::Task<>& board : answers) {
      if (round > 0) await(board);
      move();
      board = jumpcut::create_task(answer);
    }
  }
}

template <class Exhibition>
long long seconds_of(Exhibition exhibition) {
  jumpcut::VirtualClock clock;
  jumpcut::run(exhibition, {.clock = &clock});
  return std::chrono::floor<std::chrono::seconds>(clock.now()).time_since_epoch().count();
}

}  // namespace

int main() {
  std::printf("one board after the other: %lld s\n", seconds_of(one_board_after_the_other));
  std::printf("all boards at once: %lld s\n", seconds_of(all_boards_at_once));
}
