#pragma once

namespace jumpcut::impl {

/// In a forked process: what the parent has open, but for files, devices, standard output and error
/// and `kept`, is the parent's alone. Its numbers stay taken, by what can be neither read nor
/// written, so that whoever still has one in mind hits no file that is opened later. Standard input
/// is empty.
void leave_descriptors_to_parent(int kept) noexcept;

}  // namespace jumpcut::impl
