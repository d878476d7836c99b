#include "base/error_text.hpp"

#include <jumpcut/cancelled.hpp>

namespace jumpcut::impl {

std::string error_text(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (const Cancelled& cancelled) {
    return cancelled.describe();
  } catch (...) {
    return "an exception of unknown type";
  }
}

}  // namespace jumpcut::impl
