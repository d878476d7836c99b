#pragma once

#include <jumpcut/impl/export.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace jumpcut::impl {

/// Writes values to a file, for the same program in another process.
class JUMPCUT_API RemoteWriter {
 public:
  explicit RemoteWriter(int fd) noexcept : fd_(fd) {}
  RemoteWriter(const RemoteWriter&) = delete;
  RemoteWriter& operator=(const RemoteWriter&) = delete;

  /// Throws std::system_error, ResourceError; so does what follows.
  void write(const void* data, std::size_t size);
  /// Up to the next place where any scalar may lie.
  void align();
  void write_size(std::size_t size) { write(&size, sizeof size); }
  /// All that was written is in the file.
  void flush();

 private:
  void send(const char* data, std::size_t size);

  const int fd_;
  std::size_t written_ = 0;
  std::string kept_;
};

/// Reads out of memory what a RemoteWriter wrote. In a task, lets others have a turn after each
/// part.
class JUMPCUT_API RemoteReader {
 public:
  RemoteReader(const char* data, std::size_t size) noexcept : begin_(data), size_(size) {}

  static constexpr std::size_t part = std::size_t{1024} * 1024;

  /// The next so many bytes. May wait for its turn. Throws std::length_error if there are fewer,
  /// and in a task Cancelled.
  const char* read(std::size_t size);
  void align();
  /// Of so many elements, each of that many bytes at least. Throws if there can't be so many.
  std::size_t read_size(std::size_t least);

 private:
  const char* const begin_;
  const std::size_t size_;
  std::size_t place_ = 0;
  std::size_t pause_at_ = part;
};

// What refers to memory of the worker's.
template <class T>
inline constexpr bool is_reference_to_memory = std::is_pointer_v<T> || std::is_null_pointer_v<T>;
template <class Char, class Traits>
inline constexpr bool is_reference_to_memory<std::basic_string_view<Char, Traits>> = true;
template <class T, std::size_t size>
inline constexpr bool is_reference_to_memory<std::span<T, size>> = true;

/// How a T is written and read, for those that can be. `least` is how many bytes it takes, or more.
template <class T>
struct RemoteValue {};

template <class T>
concept Remote = requires {
  RemoteValue<T>::least;
};

/// Such as int, and structs of such.
template <class T>
concept PlainValue = std::is_trivially_copyable_v<T> && !is_reference_to_memory<T>;

/// Such as std::string, std::vector<double>.
template <class T>
concept PlainSequence = !PlainValue<T> && PlainValue<typename T::value_type> &&
                        requires(T & to, const T& from, const typename T::value_type* data) {
  data = from.data();
  to.reserve(from.size());
  to.insert(to.end(), data, data);
};

/// What an element can be kept in: a map's has a const key.
template <class T>
struct ElementOf {
  using Type = T;
};
template <class First, class Second>
struct ElementOf<std::pair<const First, Second>> {
  using Type = std::pair<First, Second>;
};

/// Such as std::vector<std::string>, std::map<int, double>.
template <class T>
concept RemoteContainer =
    !PlainValue<T> && !PlainSequence<T> &&
    Remote<typename ElementOf<typename T::value_type>::Type> &&
    requires(T & to, const T& from, typename ElementOf<typename T::value_type>::Type&& element) {
  from.size();
  from.begin() == from.end();
  to.insert(to.end(), std::move(element));
};

template <PlainValue T>
struct RemoteValue<T> {
  static constexpr std::size_t least = sizeof(T);
  static void write(RemoteWriter& writer, const T& value) { writer.write(&value, sizeof value); }
  static T read(RemoteReader& reader) {
    std::array<unsigned char, sizeof(T)> bytes{};
    std::memcpy(bytes.data(), reader.read(sizeof(T)), sizeof(T));
    return std::bit_cast<T>(bytes);
  }
};

template <PlainSequence T>
struct RemoteValue<T> {
  using Element = typename T::value_type;
  static_assert(alignof(Element) <= 64, "an over-aligned element");

  static constexpr std::size_t least = sizeof(std::size_t);
  static void write(RemoteWriter& writer, const T& value) {
    writer.write_size(value.size());
    writer.align();
    writer.write(value.data(), value.size() * sizeof(Element));
  }
  static T read(RemoteReader& reader) {
    constexpr std::size_t most = (RemoteReader::part + sizeof(Element) - 1) / sizeof(Element);
    std::size_t left = reader.read_size(sizeof(Element));
    reader.align();
    T value;
    value.reserve(left);
    while (left > 0) {
      const std::size_t size = std::min(left, most);
      const void* data = reader.read(size * sizeof(Element));
      const auto* first = static_cast<const Element*>(data);
      value.insert(value.end(), first, first + size);
      left -= size;
    }
    return value;
  }
};

template <RemoteContainer T>
struct RemoteValue<T> {
  using Element = typename ElementOf<typename T::value_type>::Type;
  using Inner = RemoteValue<Element>;

  static constexpr std::size_t least = sizeof(std::size_t);
  static void write(RemoteWriter& writer, const T& value) {
    writer.write_size(value.size());
    for (const auto& element : value) Inner::write(writer, element);
  }
  static T read(RemoteReader& reader) {
    T value;
    for (std::size_t left = reader.read_size(Inner::least); left > 0; --left) {
      value.insert(value.end(), Inner::read(reader));
    }
    return value;
  }
};

template <Remote First, Remote Second>
requires(!PlainValue<std::pair<First, Second>>) struct RemoteValue<std::pair<First, Second>> {
  using Pair = std::pair<First, Second>;

  static constexpr std::size_t least = RemoteValue<First>::least + RemoteValue<Second>::least;
  template <class Key>
  static void write(RemoteWriter& writer, const std::pair<Key, Second>& value) {
    RemoteValue<First>::write(writer, value.first);
    RemoteValue<Second>::write(writer, value.second);
  }
  static Pair read(RemoteReader& reader) {
    // Braces: the first comes first.
    return Pair{RemoteValue<First>::read(reader), RemoteValue<Second>::read(reader)};
  }
};

template <Remote... Values>
requires(!PlainValue<std::tuple<Values...>>) struct RemoteValue<std::tuple<Values...>> {
  using Tuple = std::tuple<Values...>;

  static constexpr std::size_t least = (0 + ... + RemoteValue<Values>::least);
  static void write(RemoteWriter& writer, const Tuple& value) {
    std::apply([&](const Values&... each) { (RemoteValue<Values>::write(writer, each), ...); },
               value);
  }
  static Tuple read(RemoteReader& reader) { return Tuple{RemoteValue<Values>::read(reader)...}; }
};

template <Remote Value>
requires(!PlainValue<std::optional<Value>>) struct RemoteValue<std::optional<Value>> {
  static constexpr std::size_t least = sizeof(bool);
  static void write(RemoteWriter& writer, const std::optional<Value>& value) {
    RemoteValue<bool>::write(writer, value.has_value());
    if (value.has_value()) RemoteValue<Value>::write(writer, *value);
  }
  static std::optional<Value> read(RemoteReader& reader) {
    if (!RemoteValue<bool>::read(reader)) return std::nullopt;
    return RemoteValue<Value>::read(reader);
  }
};

}  // namespace jumpcut::impl
