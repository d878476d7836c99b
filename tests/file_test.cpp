// jumpcut/file.hpp: files, read and written by threads of the loop's pool.

#include <jumpcut/jumpcut.hpp>

#include "sockets.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include <catch2/catch.hpp>

using Catch::Contains;
using jumpcut::File, jumpcut::FileMode, jumpcut::read_file, jumpcut::run, jumpcut::write_file;

namespace {

/// A folder that goes at the end.
class Folder {
 public:
  Folder() { REQUIRE(mkdtemp(name_.data()) != nullptr); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(name_); }
  std::string operator/(const std::string& name) const { return name_ + "/" + name; }

 private:
  std::string name_ = "/tmp/jumpcut-file-XXXXXX";
};

}  // namespace

TEST_CASE("write_file and read_file write and read a whole file") {
  const Folder folder;
  run([&] {
    const std::string path = folder / "a";
    for (const std::size_t size : {0u, 1u, 70'000u, 1'000'000u}) {
      write_file(path, pattern(size));
      CHECK(read_file(path) == pattern(size));
    }
    write_file(path, "short");  // nothing of before is left
    CHECK(read_file(path) == "short");
    CHECK_THAT(read_file("/proc/self/status"), Contains("Pid:"));  // which says that it is empty
  });
}

TEST_CASE("a File is read and written where the call says") {
  const Folder folder;
  run([&] {
    const std::string path = folder / "b";
    File file(path, FileMode::create);
    CHECK(file.size() == 0);
    file.write_at(3, "defg");
    file.write_at(0, "abc");
    CHECK(file.size() == 7);
    CHECK(file.read_at(2, 3) == "cde");
    CHECK(file.read_at(5, 100) == "fg");
    CHECK(file.read_at(100, 5).empty());
    file.write_at(9, "j");
    CHECK(file.read_at(7, 3) == std::string("\0\0j", 3));
    file.resize(2);
    CHECK(file.size() == 2);
    file.sync();
    file.close();
    CHECK(!file.is_open());
    CHECK(error_of([&] { static_cast<void>(file.size()); }) == EBADF);
    CHECK(File(path).read_at(0, 10) == "ab");
    CHECK(error_of([&] { File(path).write_at(0, "x"); }) == EBADF);  // for reading alone
    File(path, FileMode::read_write).write_at(1, "B");
    CHECK(read_file(path) == "aB");
    CHECK(File(path, FileMode::truncate).size() == 0);
  });
}

TEST_CASE("calls for one file may be under way at the same time, and outlive it") {
  const Folder folder;
  run([&] {
    File file(folder / "c", FileMode::create);
    std::vector<jumpcut::Task<>> writers;
    for (int i = 0; i < 20; ++i) {
      writers.push_back(jumpcut::create_task([&file, i] {
        file.write_at(static_cast<std::uint64_t>(i) * 1000,
                      std::string(1000, static_cast<char>('a' + i)));
      }));
    }
    jumpcut::gather(writers);
    for (int i = 0; i < 20; ++i) {
      CHECK(file.read_at(static_cast<std::uint64_t>(i) * 1000, 1000) ==
            std::string(1000, static_cast<char>('a' + i)));
    }
    const auto reading = jumpcut::create_task([&] { return file.read_at(0, 20'000); });
    jumpcut::sleep(std::chrono::seconds(0));
    file.close();
    CHECK(await(reading).size() == 20'000);
  });
}

TEST_CASE("what can't be opened, read or written is named") {
  const Folder folder;
  run([&] {
    std::string text;
    CHECK(error_of([&] { read_file(folder / "none"); }, &text) == ENOENT);
    CHECK_THAT(text, Contains("open of file") && Contains("none"));
    CHECK(error_of([&] { const File file(folder / "none", FileMode::read_write); }) == ENOENT);
    CHECK(error_of([] { read_file("/"); }, &text) == EISDIR);
    CHECK(error_of([] { write_file("/dev/full", "x"); }, &text) == ENOSPC);
    CHECK_THAT(text, Contains("write of file '/dev/full'"));
    CHECK(error_of([] { static_cast<void>(File().size()); }) == EBADF);
  });
  CHECK_THROWS_AS(read_file("/dev/null"), jumpcut::RuntimeError);
}
