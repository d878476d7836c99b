#include "injector.hpp"

#include <array>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

#include <elf.h>
#include <link.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace faults {

namespace {

// The calls may come on any thread, and in signal handlers: nothing here is locked but warnings.

constexpr std::size_t call_count = std::size(calls);

enum class Mode : unsigned char { off, counting, one, some };
constinit std::atomic<Mode> mode{Mode::off};
constinit std::atomic<std::uintptr_t> library_begin{0};
constinit std::atomic<std::uintptr_t> library_end{0};

/// Shared with the processes that are forked: what they call is counted, and fails, like the rest.
struct Counters {
  std::array<std::atomic<std::uint32_t>, call_count> reached{};
  std::atomic<std::uint32_t> injected{0};
};
constinit Counters* counters = nullptr;  // from begin() on

struct Target {
  std::size_t call = 0;
  std::uint32_t nth = 0;
  std::uint32_t times = 0;
  Fault fault;
};
constinit Target target;

constinit std::array<bool, call_count> chosen{};
constinit std::uint32_t chosen_in_10000 = 0;
constinit std::uint64_t chosen_seed = 0;
constinit std::atomic<std::uint64_t> draws{0};

struct Registered {
  std::atomic<int> epoll{-1};
  std::atomic<std::uint32_t> events{0};
  std::atomic<std::uint64_t> data{0};
  std::atomic<Kind> kind{Kind::other};
};
constinit std::array<Registered, 4096> descriptors{};

std::mutex warnings_mutex;
std::string warnings_text;

std::uint64_t mixed(std::uint64_t number) noexcept {  // splitmix64
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

Fault any_of(const Call& call, std::uint64_t number) noexcept {
  std::size_t size = 0;
  while (size < call.faults.size() && call.faults[size].how != How::not_at_all) ++size;
  return call.faults[number % size];
}

template <class Visit>
void visit_library(Visit visit) {
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        if (std::string_view(info->dlpi_name).find("/libjumpcut.so") == std::string_view::npos) {
          return 0;
        }
        (*static_cast<Visit*>(data))(*info);
        return 1;
      },
      &visit);
}

void begin(Mode wanted) {
  stop();
  if (counters == nullptr) {
    void* const memory =
        mmap(nullptr, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    counters = new (memory) Counters;
  }
  if (library_end.load() == 0) {
    visit_library([](const dl_phdr_info& info) {
      for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
        const auto& part = info.dlpi_phdr[i];
        if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
        library_begin = info.dlpi_addr + part.p_vaddr;
        library_end = info.dlpi_addr + part.p_vaddr + part.p_memsz;
      }
    });
  }
  for (auto& one : counters->reached) one = 0;
  counters->injected = 0;
  draws = 0;
  warnings();
  mode = wanted;
}

}  // namespace

bool is_possible() {
  bool found = false;
  visit_library([&](const dl_phdr_info&) { found = true; });
  return found;
}

void count() {
  begin(Mode::counting);
}

void fail_one(std::size_t call, std::uint32_t nth, Fault fault, std::uint32_t times) {
  stop();
  target = {call, nth, times, fault};
  begin(Mode::one);
}

void fail_some(std::span<const Key> kinds, std::uint32_t in_10000, std::uint64_t seed) {
  stop();
  chosen = {};
  for (const Key& kind : kinds) chosen[kind.index] = true;
  chosen_in_10000 = in_10000;
  chosen_seed = seed;
  begin(Mode::some);
}

std::uint32_t stop() {
  mode = Mode::off;
  return injected();
}

std::uint32_t reached(std::size_t call) noexcept {
  return counters->reached[call];
}

std::uint32_t injected() noexcept {
  return counters == nullptr ? 0 : counters->injected.load();
}

std::string warnings() {
  const std::lock_guard lock(warnings_mutex);
  return std::exchange(warnings_text, {});
}

void note_warning(std::string_view text) {
  const std::lock_guard lock(warnings_mutex);
  warnings_text += text;
}

std::string imports(std::string_view separator) {
  std::string all;
  visit_library([&](const dl_phdr_info& info) {
    const ElfW(Sym)* symbols = nullptr;
    const char* names = nullptr;
    const std::uint32_t* hash = nullptr;
    for (std::size_t i = 0; i < info.dlpi_phnum; ++i) {
      if (info.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
      const auto* entry =
          reinterpret_cast<const ElfW(Dyn)*>(info.dlpi_addr + info.dlpi_phdr[i].p_vaddr);
      for (; entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == DT_SYMTAB) {
          symbols = reinterpret_cast<const ElfW(Sym)*>(entry->d_un.d_ptr);
        } else if (entry->d_tag == DT_STRTAB) {
          names = reinterpret_cast<const char*>(entry->d_un.d_ptr);
        } else if (entry->d_tag == DT_GNU_HASH) {
          hash = reinterpret_cast<const std::uint32_t*>(entry->d_un.d_ptr);
        }
      }
    }
    if (symbols == nullptr || names == nullptr || hash == nullptr) return;
    // The table of hashes has what is exported, and says where in the symbols that begins.
    for (std::uint32_t i = 1; i < hash[1]; ++i) {
      if (symbols[i].st_shndx != SHN_UNDEF) continue;
      all += names + symbols[i].st_name;
      all += separator;
    }
  });
  return all;
}

Reached::Reached(Key call, int fd, const void* caller) noexcept : fd_(fd), by_library_(false) {
  const Mode now = mode.load(std::memory_order_acquire);
  if (now == Mode::off) return;
  // The C++ library starts threads for it.
  const auto address = reinterpret_cast<std::uintptr_t>(caller);
  by_library_ = (address >= library_begin && address < library_end) ||
                call.index == Key("pthread_create").index;
  if (!by_library_) return;
  const std::uint32_t nth = counters->reached[call.index].fetch_add(1);
  if (now == Mode::one && call.index == target.call && nth - target.nth < target.times) {
    fault_ = target.fault;
  } else if (now == Mode::some && chosen[call.index]) {
    const std::uint64_t drawn = mixed(chosen_seed + draws.fetch_add(1));
    if (drawn % 10000 < chosen_in_10000) fault_ = any_of(calls[call.index], drawn >> 32);
  }
  if (fault_.how != How::not_at_all) ++counters->injected;
}

/// What the error says of the descriptor is so, where somebody else could tell the difference.
void Reached::make_true() const noexcept {
  if (fault_.error == EAGAIN || fault_.error == ENOTCONN) return tell_again();
  if (fault_.error == ECONNRESET || fault_.error == EPIPE) {
    syscall(SYS_shutdown, fd_, SHUT_RDWR);
  }
}

/// As the kernel does when what was missing has come, or room for the rest.
void Reached::tell_again() const noexcept {
  if (fd_ < 0 || static_cast<std::size_t>(fd_) >= descriptors.size()) return;
  const Registered& known = descriptors[static_cast<std::size_t>(fd_)];
  if (known.epoll < 0) return;
  epoll_event event{};
  event.events = known.events;
  event.data.u64 = known.data;
  syscall(SYS_epoll_ctl, known.epoll.load(), EPOLL_CTL_MOD, fd_, &event);
}

void note_registered(int fd, int epoll, std::uint32_t events, std::uint64_t data) noexcept {
  if (fd < 0 || static_cast<std::size_t>(fd) >= descriptors.size()) return;
  Registered& known = descriptors[static_cast<std::size_t>(fd)];
  known.events = events;
  known.data = data;
  known.epoll = epoll;
}

void note_kind(int fd, Kind kind) noexcept {
  if (fd < 0 || static_cast<std::size_t>(fd) >= descriptors.size()) return;
  descriptors[static_cast<std::size_t>(fd)].kind = kind;
}

Kind kind_of(int fd) noexcept {
  if (fd < 0 || static_cast<std::size_t>(fd) >= descriptors.size()) return Kind::other;
  return descriptors[static_cast<std::size_t>(fd)].kind;
}

void note_closed(int fd) noexcept {
  note_registered(fd, -1, 0, 0);
  note_kind(fd, Kind::other);
}

}  // namespace faults
