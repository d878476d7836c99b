#include "errors.hpp"

#include <jumpcut/jumpcut.hpp>

#include <algorithm>
#include <vector>

namespace conformance {
namespace {

std::string group_text(const jumpcut::ExceptionGroup& group) {
  std::vector<std::string> members;
  for (const std::exception_ptr& error : group.exceptions()) members.push_back(error_text(error));
  std::sort(members.begin(), members.end());
  std::string text;
  for (const std::string& member : members) text += (text.empty() ? "" : ",") + member;
  return "group(" + text + ")";
}

}  // namespace

std::exception_ptr make_error(const std::string& kind, const std::string& text) {
  if (kind == "Boom") return std::make_exception_ptr(Boom(text));
  if (kind == "Bang") return std::make_exception_ptr(Bang(text));
  throw ProgramError("KeyError");
}

std::string error_text(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const jumpcut::ExceptionGroup& group) {
    return group_text(group);
  } catch (const jumpcut::Cancelled& cancelled) {
    return cancelled.message().empty() ? "Cancelled" : "Cancelled(" + cancelled.message() + ")";
  } catch (const Return&) {
    return "Return";
  } catch (const ProgramError& raised) {
    return raised.what();
  } catch (const jumpcut::TimeoutError&) {
    return "Timeout";
  } catch (const jumpcut::QueueShutDown&) {
    return "QueueShutDown";
  } catch (const jumpcut::QueueFull&) {
    return "QueueFull";
  } catch (const jumpcut::QueueEmpty&) {
    return "QueueEmpty";
  } catch (const jumpcut::BrokenBarrierError&) {
    return "BrokenBarrierError";
  } catch (const jumpcut::InvalidStateError&) {
    return "InvalidStateError";
  } catch (const jumpcut::ValueError&) {
    return "ValueError";
  } catch (const jumpcut::RecursionError&) {
    return "RecursionError";
  } catch (const jumpcut::RuntimeError&) {
    return "RuntimeError";
  } catch (const std::exception& other) {
    return std::string("unexpected: ") + other.what();
  }
}

bool is_ordinary(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const jumpcut::ExceptionGroup& group) {
    const auto& members = group.exceptions();
    return std::all_of(members.begin(), members.end(), is_ordinary);
  } catch (const std::exception&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace conformance
