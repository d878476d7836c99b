// first_fibers: a callback API, called in straight lines by two fibers at once.
//
//   $ ./first_fibers
//   ann asks for her number
//   ben asks for his number
//   ann, number 3, lives in Cork
//   ben, number 5, lives in Lyon

#include <jumpcut/jumpcut.hpp>

#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using jumpcut::lowlevel::park, jumpcut::lowlevel::Scheduler, jumpcut::lowlevel::Wait,
    jumpcut::lowlevel::wake;

namespace {

/// What one inherits: it takes a callback, and makes the call later, from its own loop.
class Database {
 public:
  using Done = std::function<void(std::string)>;

  void query(const std::string& question, Done done) {
    pending_.emplace_back(question, std::move(done));
  }
  void deliver() {
    for (auto& [question, done] : std::exchange(pending_, {})) done(answer(question));
  }

 private:
  static std::string answer(const std::string& question) {
    if (question == "number of ann") return "3";
    if (question == "number of ben") return "5";
    return question == "city of 3" ? "Cork" : "Lyon";
  }

  std::vector<std::pair<std::string, Done>> pending_;
};

/// The same as one call: the fiber that makes it stops here, and nobody else does.
std::string query(Database& database, const std::string& question) {
  Wait wait;
  std::string row;
  database.query(question, [&](std::string answer) {
    row = std::move(answer);
    wake(wait);
  });
  park(wait);
  return row;
}

}  // namespace

int main() {
  Database database;
  Scheduler scheduler;
  for (const auto& [name, whose] : {std::pair{"ann", "her"}, std::pair{"ben", "his"}}) {
    scheduler.spawn([&database, name = std::string(name), whose = whose] {
      std::printf("%s asks for %s number\n", name.c_str(), whose);
      const std::string number = query(database, "number of " + name);
      const std::string city = query(database, "city of " + number);
      std::printf("%s, number %s, lives in %s\n", name.c_str(), number.c_str(), city.c_str());
    });
  }
  while (scheduler.run() > 0) database.deliver();  // the old loop turns on
}
