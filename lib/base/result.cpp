#include "base/result.hpp"

#include "base/check.hpp"

namespace webhookd::base {

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  fail_check("value() of an error: " + error.detail);
}

}  // namespace webhookd::base
