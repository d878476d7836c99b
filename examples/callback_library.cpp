// callback_library: an old library calls back; the new feature reads from top to bottom. Two of its
// calls run at once; one is answered at once. One is forgotten, and its task knows right away: the
// last copy of the callback is gone.
//
//   $ ./callback_library
//   order 9: the database will never call back
//   order 7: 3 x tea for ann in Cork
//   order 8: 1 x milk for ben in Lyon

#include <jumpcut/jumpcut.hpp>

#include <cstdio>
#include <functional>
#include <map>
#include <string>

using namespace std::chrono_literals;

namespace {

/// The library, as it was found: questions, and callbacks that come when they come.
class Database {
 public:
  using Callback = std::function<void(std::string answer)>;

  void query(const std::string& question, const Callback& callback) {
    const auto known = answers_.find(question);
    if (known == answers_.end()) return;                          // it never answers
    if (question.front() == 'c') return callback(known->second);  // it answers before it returns
    jumpcut::get_running_loop().call_later(100ms, [=] { callback(known->second); });
  }

 private:
  const std::map<std::string, std::string> answers_ = {
      {"order 7", "3 x tea"},   {"who ordered 7", "ann"}, {"city of ann", "Cork"},
      {"order 8", "1 x milk"},  {"who ordered 8", "ben"}, {"city of ben", "Lyon"},
      {"who ordered 9", "cleo"}};
};

/// The bridge: one call.
std::string ask(Database& database, const std::string& question) {
  return jumpcut::await_callback<std::string>([&](auto done) { database.query(question, done); },
                                              {.timeout = 1s});
}

/// The new feature: four answers, two of them at once, and no callback in sight.
void print_order(Database& database, const std::string& number) {
  try {
    const auto [goods, customer] =
        jumpcut::gather([&] { return ask(database, "order " + number); },
                        [&] { return ask(database, "who ordered " + number); });
    const std::string city = ask(database, "city of " + customer);
    std::printf("order %s: %s for %s in %s\n", number.c_str(), goods.c_str(), customer.c_str(),
                city.c_str());
  } catch (const jumpcut::CallbackDropped&) {
    std::printf("order %s: the database will never call back\n", number.c_str());
  }
}

}  // namespace

int main() {
  Database database;
  jumpcut::run([&] {
    jumpcut::gather([&] { print_order(database, "7"); }, [&] { print_order(database, "8"); },
                    [&] { print_order(database, "9"); });
  });
}
