// Why a call or a command failed, in the shape that the tool prints it: `whctl: what: why`, then a hint. `code` is the
// stable code of the API's problem documents, or one of the codes below for what never reached the daemon; the tool's
// exit codes are a table over it (apps/whctl/exit_codes.hpp). Nothing here prints or exits.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace webhookd::client {

namespace codes {
inline constexpr std::string_view usage = "usage";                  // the command line or its input is wrong
inline constexpr std::string_view io = "io";                        // a file or the standard output
inline constexpr std::string_view unreachable = "unreachable";      // no daemon behind the socket, or it went away
inline constexpr std::string_view socket_denied = "socket_denied";  // the socket exists, but not for us
inline constexpr std::string_view timed_out = "timed_out";          // the daemon did not answer in time
inline constexpr std::string_view interrupted = "interrupted";      // by Ctrl-C, in a program that we waited for
inline constexpr std::string_view bad_answer = "bad_answer";        // what answered does not speak our HTTP or JSON
inline constexpr std::string_view not_found = "not_found";          // the API's own, also found here
}  // namespace codes

struct Failure {
  // Declared, so that it is no aggregate: Result<std::string> could not tell a text from a failure otherwise.
  Failure() = default;

  std::string code;
  std::string what;  // what it is about: a socket, a flag, an id; may be filled in by a caller who knows
  std::string why;   // one sentence
  std::string hint;  // empty when there is nothing to advise
  std::vector<base::FieldError> fields;
};

inline Failure failure(std::string_view code, std::string what, std::string why, std::string hint = {}) {
  Failure failure;
  failure.code = code;
  failure.what = std::move(what);
  failure.why = std::move(why);
  failure.hint = std::move(hint);
  return failure;
}

// The failure, about `what` unless it already says what it is about.
inline Failure about(std::string what, Failure failure) {
  if (failure.what.empty()) failure.what = std::move(what);
  return failure;
}

template <class T>
using Result = boost::system::result<T, Failure>;

// boost::system::result asks for this when value() is called on an error; we never do that unchecked.
[[noreturn]] void throw_exception_from_error(const Failure& failure, const boost::source_location& where);

}  // namespace webhookd::client
