#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace webhookd::base {

void fail_check(std::string_view what, std::source_location where) {
  std::fprintf(stderr, "webhookd: broken invariant: %.*s (%s:%u)\n", static_cast<int>(what.size()), what.data(),
               where.file_name(), static_cast<unsigned>(where.line()));
  std::abort();
}

}  // namespace webhookd::base
