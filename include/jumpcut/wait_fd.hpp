#pragma once

#include <jumpcut/impl/export.hpp>

#include <system_error>

namespace jumpcut {

/// A descriptor was closed while a task waited for it, or before it was used. The code is EBADF;
/// the text names the call and the descriptor.
class JUMPCUT_API DescriptorClosed : public std::system_error {
 public:
  using std::system_error::system_error;
};

/// Returns once the descriptor can be read without waiting, or is at its end or in error; at once,
/// and without switching, if it can now, except that a task that makes very many such calls lets
/// others have a turn. Regular files always can. Any number of tasks may wait for
/// one descriptor: all are woken, and who reads first finds what there is. Loop.add_reader() is the
/// callback that goes with it.
///
/// Throws Cancelled; DescriptorClosed if notify_closing() is called meanwhile, a Socket that owns
/// it closes it, or its number turns out to be another file's; std::system_error for what is not
/// open; RuntimeError outside a task.
JUMPCUT_API void wait_readable(int fd);
/// The same for writing.
JUMPCUT_API void wait_writable(int fd);

/// To be called before a descriptor is closed that tasks may wait for: they throw DescriptorClosed.
/// Callbacks of add_reader() and add_writer() are removed too. The kernel tells nobody of a close,
/// so without this they would wait for ever. Sockets do it by themselves. Throws RuntimeError where
/// no loop runs.
JUMPCUT_API void notify_closing(int fd);

}  // namespace jumpcut
