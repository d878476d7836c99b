// jumpcut/impl/memory.hpp: what is taken is nobody else's, and what is given back is there again.

#include <jumpcut/impl/memory.hpp>

#include "seed.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using jumpcut::impl::Memory;

namespace {

struct Piece {
  void* memory;
  std::size_t size;
  unsigned char mark;

  Piece(Memory& from, std::size_t bytes, unsigned char with)
      : memory(from.take(bytes)), size(bytes), mark(with) {
    std::memset(memory, mark, size);
  }
  bool is_whole() const {
    const auto* bytes = static_cast<const unsigned char*>(memory);
    return std::all_of(bytes, bytes + size, [this](auto byte) { return byte == mark; });
  }
};

}  // namespace

TEST_CASE("what is taken is nobody else's until it is given back") {
  const std::uint64_t seed = test_seed();
  INFO("JUMPCUT_TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  Memory memory;
  std::vector<Piece> held;
  std::size_t wrong = 0;
  // Up and down, further than any shelf reaches, over sizes beside and on its borders.
  constexpr std::size_t sizes[] = {1, 32, 33, 64, 65, 96, 128, 129, 512, 513, 5000};
  for (int round = 0; round < 40; ++round) {
    const std::size_t wanted = random() % 4 == 0 ? 0 : random() % 6000;
    while (held.size() < wanted) {
      const auto mark = static_cast<unsigned char>(random());
      held.emplace_back(memory, sizes[random() % std::size(sizes)], mark);
    }
    while (held.size() > wanted) {
      std::swap(held[random() % held.size()], held.back());
      if (!held.back().is_whole()) ++wrong;
      memory.give_back(held.back().memory, held.back().size);
      held.pop_back();
    }
  }
  for (const Piece& piece : held) {
    if (!piece.is_whole()) ++wrong;
    memory.give_back(piece.memory, piece.size);
  }
  CHECK(wrong == 0);
  memory.retire();
  CHECK(memory.in_use() == 0);
}

TEST_CASE("the same memory is taken again, and the heap is not asked for more") {
  Memory memory;
  std::vector<void*> all(500);
  for (void*& one : all) one = memory.take(100);
  const std::size_t in_use = memory.in_use();
  for (void* one : all) memory.give_back(one, 100);
  if (memory.in_use() == 0) return;  // a tool is to see each object
  CHECK(memory.in_use() == in_use);
  std::set<void*> before(all.begin(), all.end());
  std::set<void*> again;
  for (std::size_t i = 0; i < all.size(); ++i) again.insert(memory.take(100));
  CHECK(again == before);
  for (void* one : again) memory.give_back(one, 100);
}

TEST_CASE("what was given back last is taken first") {
  Memory memory;
  void* first = memory.take(100);
  void* second = memory.take(100);
  memory.give_back(first, 100);
  memory.give_back(second, 100);
  if (memory.in_use() == 0) return;  // a tool is to see each object
  CHECK(memory.take(100) == second);
  CHECK(memory.take(100) == first);
  memory.give_back(first, 100);
  memory.give_back(second, 100);
}

TEST_CASE("after retire(), what is in use is what somebody holds") {
  Memory memory;
  std::vector<void*> all(100);
  for (void*& one : all) one = memory.take(100);
  for (std::size_t i = 0; i < 60; ++i) memory.give_back(all[i], 100);
  memory.retire();
  CHECK(memory.in_use() == 40);
  void* late = memory.take(100);
  CHECK(memory.in_use() == 41);
  memory.give_back(late, 100);
  for (std::size_t i = 60; i < 100; ++i) memory.give_back(all[i], 100);
  CHECK(memory.in_use() == 0);
}
