// producer_consumer: a queue between tasks; the producer waits when it is full.
//
//   $ ./producer_consumer
//   put 1
//   put 2
//   got 1
//   put 3
//   got 2
//   put 4
//   got 3
//   put 5
//   got 4
//   got 5
//   all 5 are done

#include <jumpcut/jumpcut.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

void produce(jumpcut::Queue<int>& queue) {
  for (int i = 1; i <= 5; ++i) {
    queue.put(i);
    std::printf("put %d\n", i);
  }
  queue.shutdown();
}

void consume(jumpcut::Queue<int>& queue) {
  try {
    for (;;) {
      jumpcut::sleep(100ms);
      std::printf("got %d\n", queue.get());
      queue.task_done();
    }
  } catch (const jumpcut::QueueShutDown&) {
  }
}

}  // namespace

int main() {
  jumpcut::run([] {
    jumpcut::Queue<int> queue(2);
    jumpcut::gather([&] { produce(queue); }, [&] { consume(queue); });
    queue.join();
    std::puts("all 5 are done");
  });
}
