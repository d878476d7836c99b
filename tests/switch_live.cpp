#include "switch_live.hpp"

#if defined(__x86_64__)
#include "x86_64.hpp"  // from asm/, whichever form the library was built with
#else
#include "called.hpp"
#endif

#include <cfenv>

#include <alloca.h>

namespace live::LIVE_VARIANT {

namespace {

using jumpcut::impl::Saved;

#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)

template <Form form>
[[gnu::always_inline]] inline void* switch_by(Saved& from, Saved& to, void* message) {
  if constexpr (form == Form::inlined) {
    return jumpcut::impl::switch_inlined(from, to, message).message;
  } else {
    return jumpcut::impl::jumpcut_switch(&from, &to, message);
  }
}

// The compiler must not know the value, and must have it afterwards.
template <class T>
[[gnu::always_inline]] inline T opaque(T value) {
  asm volatile("" : "+m"(value));
  return value;
}

[[gnu::noinline]] void expect(Pair& pair, bool kept, const char* what) {
  if (!kept && pair.failure.empty()) pair.failure = std::string(TEXT(LIVE_VARIANT) ": ") + what;
}

template <Form form>
[[gnu::noinline]] void integers(Pair& pair, Saved& from, Saved& to, std::uint64_t s) {
  std::uint64_t a = opaque(s), b = opaque(s * 3), c = opaque(s * 5), d = opaque(s * 7);
  std::uint64_t e = opaque(s * 9), f = opaque(s * 11), g = opaque(s * 13), h = opaque(s * 15);
  std::uint64_t i = opaque(s * 17), j = opaque(s * 19), k = opaque(s * 21), l = opaque(s * 23);
  std::uint64_t m = opaque(s * 25), n = opaque(s * 27), o = opaque(s * 29), p = opaque(s * 31);
  switch_by<form>(from, to, nullptr);
  bool kept = a == s && b == s * 3 && c == s * 5 && d == s * 7 && e == s * 9 && f == s * 11 &&
              g == s * 13 && h == s * 15 && i == s * 17 && j == s * 19 && k == s * 21 &&
              l == s * 23 && m == s * 25 && n == s * 27 && o == s * 29 && p == s * 31;
  expect(pair, kept, "integers");
}

template <Form form>
[[gnu::noinline]] void doubles(Pair& pair, Saved& from, Saved& to, std::uint64_t s) {
  double x = static_cast<double>(s % 1000);
  double a = opaque(x), b = opaque(x + 1), c = opaque(x + 2), d = opaque(x + 3);
  double e = opaque(x + 4), f = opaque(x + 5), g = opaque(x + 6), h = opaque(x + 7);
  float i = opaque(1.5F), j = opaque(2.5F), k = opaque(3.5F), l = opaque(4.5F);
  switch_by<form>(from, to, nullptr);
  double sum = a + b * 3 + c * 5 + d * 7 + e * 9 + f * 11 + g * 13 + h * 15;
  expect(pair, sum == 64 * x + 3 + 10 + 21 + 36 + 55 + 78 + 105, "doubles");
  expect(pair, i + j + k + l == 12, "floats");
}

template <Form form>
[[gnu::noinline]] void long_doubles(Pair& pair, Saved& from, Saved& to, std::uint64_t s) {
  long double x = static_cast<long double>(s % 1000) + 0.5L;
  long double a = opaque(x), b = opaque(x * 3), c = opaque(x * 5), d = opaque(x * 7);
  long double e = opaque(x * 9), f = opaque(x * 11);
  long double g = opaque(x) * 2;  // as likely as any to live on the x87 stack
  switch_by<form>(from, to, nullptr);
  expect(pair, a + b + c + d + e + f == 36 * x && g == 2 * x, "long doubles");
}

typedef std::uint32_t Vector __attribute__((vector_size(LIVE_VECTOR)));

template <Form form>
[[gnu::noinline]] void vectors(Pair& pair, Saved& from, Saved& to, std::uint64_t s) {
  auto x = static_cast<std::uint32_t>(s);
  Vector one = opaque(Vector{} + x), two = opaque(Vector{} + x * 3), three = opaque(one * 5);
  Vector four = opaque(one ^ two);
  auto less = one < two;  // may live in a mask register
  switch_by<form>(from, to, nullptr);
  Vector sum = one + two + three + (four ^ one ^ two);
  bool kept = true;
  for (std::size_t i = 0; i < LIVE_VECTOR / 4; ++i) {
    kept = kept && sum[i] == x * 9 && (less[i] != 0) == (x < x * 3);
  }
  expect(pair, kept, "vectors");
}

// Calls nothing but the inlined switch: what it keeps below the stack pointer must stay.
template <Form form>
[[gnu::noinline]] std::uint64_t red_zone(Saved& from, Saved& to, std::uint64_t s) {
  volatile std::uint64_t words[14];
  for (unsigned i = 0; i < 14; ++i) words[i] = s * (i + 1);
  switch_by<form>(from, to, nullptr);
  std::uint64_t lost = 0;
  for (unsigned i = 0; i < 14; ++i) lost |= words[i] ^ s * (i + 1);
  return lost;
}

template <Form form>
[[gnu::noinline]] std::uint64_t variable_frame(Saved& from, Saved& to, std::uint64_t s) {
  std::size_t size = 16 + s % 300;
  auto* bytes = static_cast<volatile unsigned char*>(alloca(size));
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(s + i);
  switch_by<form>(from, to, nullptr);
  std::uint64_t lost = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (bytes[i] != static_cast<unsigned char>(s + i)) ++lost;
  }
  return lost;
}

struct alignas(128) Wide {
  volatile std::uint64_t words[16];
};

// An over-aligned local and a frame of variable size: clang addresses this one with rbx, x19.
template <Form form>
[[gnu::noinline]] std::uint64_t aligned_variable_frame(Saved& from, Saved& to, std::uint64_t s) {
  Wide wide;
  std::size_t size = 16 + s % 300;
  auto* bytes = static_cast<volatile unsigned char*>(alloca(size));
  for (unsigned i = 0; i < 16; ++i) wide.words[i] = s + i;
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(s + i);
  std::uint64_t kept = opaque(s);
  switch_by<form>(from, to, nullptr);
  std::uint64_t lost = kept ^ s;
  lost |= reinterpret_cast<std::uintptr_t>(&wide) % 128;
  for (unsigned i = 0; i < 16; ++i) lost |= wide.words[i] ^ (s + i);
  for (std::size_t i = 0; i < size; ++i) {
    if (bytes[i] != static_cast<unsigned char>(s + i)) ++lost;
  }
  return lost;
}

// The switch in the middle of a recursion, and once more at each level on the way back.
template <Form form>
[[gnu::noinline]] std::uint64_t deep(Saved& from, Saved& to, std::uint64_t s, unsigned depth) {
  std::uint64_t kept = opaque(s + depth);
  std::uint64_t below = depth == 0 ? 0 : deep<form>(from, to, s, depth - 1);
  switch_by<form>(from, to, nullptr);
  return below | (kept ^ (s + depth));
}

template <Form form>
[[gnu::noinline]] void rounding(Pair& pair, Saved& from, Saved& to, std::uint64_t s) {
  constexpr int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
  int mode = modes[s % 4];
  std::fesetround(mode);
  double before = opaque(1.0) / opaque(3.0);
  switch_by<form>(from, to, nullptr);
  bool kept = std::fegetround() == mode && opaque(1.0) / opaque(3.0) == before;
  std::fesetround(FE_TONEAREST);
  expect(pair, kept, "the rounding mode");
}

// One control word alone, and then the other.
#if defined(__x86_64__)
template <Form form>
[[gnu::noinline]] void control_words(Pair& pair, Saved& from, Saved& to, std::uint64_t s) {
  std::uint32_t usual_mxcsr = 0;
  std::uint16_t usual_x87 = 0;
  asm volatile("stmxcsr %0; fnstcw %1" : "=m"(usual_mxcsr), "=m"(usual_x87));
  std::uint32_t mxcsr = usual_mxcsr ^ (s % 2 != 0 ? 0x2000 : 0);
  std::uint16_t x87 = static_cast<std::uint16_t>(usual_x87 ^ (s % 3 != 0 ? 0x0400 : 0));
  std::uint32_t kept_mxcsr = 0;
  std::uint16_t kept_x87 = 0;
  asm volatile("ldmxcsr %0" : : "m"(mxcsr));
  switch_by<form>(from, to, nullptr);
  asm volatile("stmxcsr %0; ldmxcsr %1" : "=m"(kept_mxcsr) : "m"(usual_mxcsr));
  asm volatile("fldcw %0" : : "m"(x87));
  switch_by<form>(from, to, nullptr);
  asm volatile("fnstcw %0; fldcw %1" : "=m"(kept_x87) : "m"(usual_x87));
  expect(pair, ((kept_mxcsr ^ mxcsr) & ~0x3fU) == 0, "mxcsr");
  expect(pair, kept_x87 == x87, "the x87 control word");
}
#else
template <Form form>
void control_words(Pair&, Saved&, Saved&, std::uint64_t) {}
#endif

template <Form form>
[[gnu::noinline]] void round(Pair& pair, Saved& from, Saved& to, std::uint64_t s) {
  integers<form>(pair, from, to, s);
  doubles<form>(pair, from, to, s);
  long_doubles<form>(pair, from, to, s);
  vectors<form>(pair, from, to, s);
  expect(pair, red_zone<form>(from, to, s) == 0, "the red zone");
  expect(pair, variable_frame<form>(from, to, s) == 0, "a frame of variable size");
  expect(pair, aligned_variable_frame<form>(from, to, s) == 0, "an over-aligned variable frame");
  expect(pair, deep<form>(from, to, s, 5) == 0, "a recursion");
  rounding<form>(pair, from, to, s);
  control_words<form>(pair, from, to, s);
}

bool supported() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") != 0;
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") != 0;
#else
  return true;
#endif
}

const Register registered({TEXT(LIVE_VARIANT), round<Form::called>, round<Form::inlined>, supported,
                           red_zone<Form::inlined>});

}  // namespace

}  // namespace live::LIVE_VARIANT
