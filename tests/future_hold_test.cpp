// A future that nobody holds any more stays as long as a task awaits it, and no longer.

#include <jumpcut/jumpcut.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "counted.hpp"
#include "on_loop.hpp"

using jumpcut::await, jumpcut::Cancelled, jumpcut::create_task, jumpcut::Future, jumpcut::Task;

namespace {

/// Tells, by being gone, that the future that failed with it is.
struct Failure : std::runtime_error {
  Failure() : std::runtime_error("it failed") {}
  Counted counted;
};

/// What is reported from here on.
std::shared_ptr<std::vector<std::string>> reports() {
  auto all = std::make_shared<std::vector<std::string>>();
  jumpcut::get_running_loop().set_exception_handler(
      [all](const jumpcut::ErrorContext& context) { all->push_back(context.message); });
  return all;
}

template <class T>
void check_last_handle_goes(const T& value) {
  on_loop([&] {
    auto awaited = std::make_unique<Future<T>>();
    std::optional<Future<T>> setter = *awaited;
    auto reader = create_task([&future = *awaited] { return await(future); });
    ticks();
    awaited.reset();
    ticks();
    setter->set_result(value);
    setter.reset();  // the reader is ready, and nobody else knows of the future
    CHECK(await(reader) == value);
  });
}

/// Copying it drops the handle that it names, once it is told to.
struct Value {
  explicit Value(std::optional<Future<Value>>& handle) : last(&handle) {}
  Value(const Value& other) : last(other.last), text(other.text) {
    if (armed) last->reset();
    text += other.text;  // which is still there
  }
  std::optional<Future<Value>>* last;
  std::string text = "a text that is too long for the string itself";
  static inline bool armed = false;
};

}  // namespace

TEST_CASE("a future's last handle may go while a task awaits it") {
  check_last_handle_goes<int>(7);
  check_last_handle_goes<std::string>("a text that is too long for the string itself");
  check_last_handle_goes<std::shared_ptr<int>>(std::make_shared<int>(7));
}

TEST_CASE("a future without a handle fails, is retrieved, and goes") {
  on_loop([] {
    const auto told = reports();
    for (const bool dropped_early : {false, true}) {
      std::optional<Future<int>> future(std::in_place);
      auto reader = create_task([&handle = *future] { await(handle); });
      ticks();
      std::optional<Future<int>> setter = *future;
      if (dropped_early) future.reset();
      setter->set_exception(std::make_exception_ptr(Failure()));
      setter.reset();
      future.reset();
      CHECK(Counted::alive == 1);
      CHECK_THROWS_AS(await(reader), Failure);
    }
    ticks(2);
    CHECK(told->empty());
  });
  CHECK(Counted::alive == 0);
}

TEST_CASE("a future that only a task knows, which awaits it, goes when that is cancelled") {
  on_loop([] {
    const auto told = reports();
    std::optional<Future<int>> future(std::in_place);
    std::vector<Task<>> readers;
    for (int i = 0; i < 3; ++i) {
      readers.push_back(create_task([&handle = *future] { await(handle); }));
    }
    future->add_done_callback([counted = Counted()] {});
    ticks();
    future.reset();
    ticks();
    CHECK(Counted::alive == 1);
    CHECK(!readers.front().done());
    readers.front().cancel();  // which cancels the future
    for (Task<>& reader : readers) CHECK_THROWS_AS(await(reader), Cancelled);
    ticks(2);
    CHECK(Counted::alive == 0);
    CHECK(told->empty());
  });
}

TEST_CASE("all that await a future get its value, though its last handle goes at once") {
  on_loop([] {
    std::optional<Future<int>> future(std::in_place);
    int sum = 0;
    std::vector<Task<>> readers;
    for (int i = 0; i < 3; ++i) {
      readers.push_back(create_task([&, &handle = *future] { sum += await(handle); }));
    }
    ticks();
    future->add_done_callback([&](Future<int> done) { sum += 100 * done.result(); });
    future->set_result(7);
    future.reset();
    for (Task<>& reader : readers) await(reader);
    ticks();
    CHECK(sum == 721);
  });
}

TEST_CASE("a task that is cancelled when its future is done, and held by nobody, says so") {
  on_loop([] {
    const auto told = reports();
    for (const bool fails : {false, true}) {
      std::optional<Future<int>> future(std::in_place);
      auto reader = create_task([&handle = *future] { await(handle); });
      ticks();
      fails ? future->set_exception(std::make_exception_ptr(Failure())) : future->set_result(7);
      reader.cancel();
      future.reset();
      CHECK_THROWS_AS(await(reader), Cancelled);
      CHECK(Counted::alive == 0);
    }
    CHECK(told->empty());
  });
}

TEST_CASE("a task whose handles are gone is awaited to its end") {
  on_loop([] {
    for (const bool debug : {false, true}) {
      jumpcut::get_running_loop().set_debug(debug);
      std::optional<Task<int>> inner = create_task([] { return ticks(3), 7; });
      auto outer = create_task([&handle = *inner] { return await(handle); });
      ticks();
      inner.reset();
      CHECK(await(outer) == 7);
    }
  });
}

TEST_CASE("a value whose copying drops the future's last handle is copied") {
  on_loop([] {
    std::optional<Future<Value>> future(std::in_place);
    future->set_result(Value(future));
    Value::armed = true;
    const Value got = await(*future);
    Value::armed = false;
    CHECK(!future.has_value());
    CHECK(got.text.size() > 80);
  });
}

TEST_CASE("an await of a temporary handle moves the value where nobody else can ask for it") {
  on_loop([] {
    const std::string text = "a text that is too long for the string itself";
    Future<std::string> future;
    const Future<std::string> other = future;
    future.set_result(text);
    CHECK(await(std::move(future)) == text);
    CHECK(other.result() == text);

    Future<std::string> alone;
    const Future<std::string> setter = alone;
    auto first = create_task([&] { return await(std::move(alone)); });
    auto second = create_task([setter] { return await(setter); });
    ticks();
    setter.set_result(text);
    CHECK(await(first) == text);
    CHECK(await(second) == text);
  });
}
