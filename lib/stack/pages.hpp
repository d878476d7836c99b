// Which pages of a stack hold something: the kernel knows, and nobody has to keep count.

#pragma once

#include <cstddef>
#include <optional>

namespace jumpcut::impl {

std::size_t page_size() noexcept;

/// The lowest page in [low, high) that was written to and not dropped since, in memory or in swap;
/// both bounds are whole pages. Nothing if it can't be known, or if the page below `high` is not in
/// use either: a stack that ran has used that one, so an answer without it is about other memory.
std::optional<std::byte*> lowest_used_page(std::byte* low, std::byte* high) noexcept;

/// The same by mincore(), which does not see what is swapped out. `high` if there is none.
std::byte* lowest_resident_page(std::byte* low, std::byte* high) noexcept;

/// Gives the memory of [low, high) back to the system: it reads as zero afterwards. False if the
/// system refuses, as for memory that is locked; then nothing has changed.
bool drop_pages(std::byte* low, std::byte* high) noexcept;

}  // namespace jumpcut::impl
