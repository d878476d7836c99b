// A thread that shares no descriptors with the others. Where several threads share them, each
// system call of each thread takes and gives back its file with locked instructions, and dirties a
// line of memory for that: the runtime's own thread is not to cost the program that.

#pragma once

namespace jumpcut::impl {

/// From now on the calling thread has descriptors of its own, and none of the process's; what
/// others close is closed. Does nothing where it could not be had back to say something, or where a
/// sanitizer may have to say something here.
void leave_descriptors() noexcept;

/// Standard error of the process as it is now, for a thread that has left its descriptors.
class BorrowedStandardError {
 public:
  BorrowedStandardError() noexcept;
  BorrowedStandardError(const BorrowedStandardError&) = delete;
  BorrowedStandardError& operator=(const BorrowedStandardError&) = delete;
  ~BorrowedStandardError();
};

}  // namespace jumpcut::impl
