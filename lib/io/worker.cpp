#include "io/worker.hpp"

#include <jumpcut/cancelled.hpp>
#include <jumpcut/error.hpp>
#include <jumpcut/process_pool.hpp>

#include "base/error_text.hpp"
#include "base/exception_text.hpp"
#include "base/system_error.hpp"
#include "io/worker_descriptors.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <tuple>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jumpcut::impl {

namespace {

/// What a result begins with, and is written last: until then there is a zero.
enum class Outcome : char { none, value, error };

using ErrorTexts = std::tuple<std::string, std::string, std::string>;

/// All signals are blocked while it lives.
class NoSignals {
 public:
  NoSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// So that what is printed comes out once. Other files may be locked by a thread that reads.
void flush_output() noexcept {
  try {
    std::cout.flush();
    std::clog.flush();
  } catch (const std::ios_base::failure&) {  // if it was asked to throw
  }
  std::fflush(stdout);
  std::fflush(stderr);
}

ErrorTexts texts_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (...) {
    return {exception_text(error), handled_type_name(), error_text(error)};
  }
}

/// The file, as long as it lives.
class Mapped {
 public:
  explicit Mapped(int fd) {
    struct stat status {};
    if (fstat(fd, &status) != 0) throw_system_error(errno, "fstat of a worker's result");
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;
    data_ = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
    if (data_ == MAP_FAILED) throw_system_error(errno, "mmap of a result of %zu bytes", size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() {
    if (size_ > 0) munmap(data_, size_);
  }
  const char* data() const noexcept { return static_cast<const char*>(data_); }
  std::size_t size() const noexcept { return size_; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace

Worker::~Worker() {
  if (result_ >= 0) close(result_);
}

void Worker::start(LoopState& loop, std::function<void()> ended) {
  result_ = memfd_create("jumpcut result", MFD_CLOEXEC);
  if (result_ < 0) throw_system_error(errno, "memfd_create for a worker's result");
  flush_output();
  pid_t pid = -1;
  {
    const NoSignals blocked;
    const pid_t parent = getpid();
    pid = fork();
    if (pid == 0) {
      loop.leave_to_parent();
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);  // it has ended before that
      leave_descriptors_to_parent(result_);
    }
  }
  if (pid == 0) work();
  if (pid < 0) throw_system_error(errno, "fork of a worker process");
  child_.watch(pid, shared_from_this(), std::move(ended));
  outsiders_ = loop.outsiders;
  at_work_.emplace(*outsiders_);
  job_->drop_function();
}

/// The worker's life.
void Worker::work() noexcept {
  Outcome outcome = Outcome::none;
  try {
    RemoteWriter writer(result_);
    writer.write(&outcome, sizeof outcome);
    job_->call(writer);
    writer.flush();
    outcome = Outcome::value;
  } catch (...) {
    write_error(job_error());
    outcome = Outcome::error;
  }
  flush_output();
  bool told = false;
  do {
    told = pwrite(result_, &outcome, sizeof outcome, 0) == sizeof outcome;
  } while (!told && errno == EINTR);
  _exit(told ? 0 : 1);
}

void Worker::write_error(const std::exception_ptr& error) noexcept {
  static_cast<void>(!ftruncate(result_, 0));
  lseek(result_, 0, SEEK_SET);
  try {
    RemoteWriter writer(result_);
    constexpr Outcome later = Outcome::none;
    writer.write(&later, sizeof later);
    RemoteValue<ErrorTexts>::write(writer, texts_of(error));
    writer.flush();
  } catch (...) {  // there is no room to say it: that there is no result has to
    _exit(1);
  }
}

bool Worker::has_much() const noexcept {
  struct stat status {};
  return !job_->future.done() && fstat(result_, &status) == 0 &&
         static_cast<std::size_t>(status.st_size) > RemoteReader::part;
}

void Worker::finish() {
  struct Ends {
    std::optional<AtWork>& at_work;
    ~Ends() { at_work.reset(); }
  } ends{at_work_};
  if (job_->future.done()) return;
  try {
    take_result();
  } catch (const Cancelled&) {  // the loop ends
    job_->future.cancel();
  } catch (...) {
    if (!job_->future.done()) job_->fail(std::current_exception());
  }
}

void Worker::take_result() {
  const Mapped result(result_);
  // One that has said all may end as it likes.
  const Outcome outcome = result.size() == 0 ? Outcome::none : static_cast<Outcome>(*result.data());
  if (outcome == Outcome::none) throw BrokenProcessPool(*child_.returncode());
  RemoteReader reader(result.data(), result.size());
  reader.read(sizeof outcome);
  if (outcome == Outcome::value) return job_->finish(reader);
  const auto [text, type, message] = RemoteValue<ErrorTexts>::read(reader);
  throw RemoteError(text, type, message);
}

}  // namespace jumpcut::impl
