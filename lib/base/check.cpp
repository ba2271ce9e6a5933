#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace webhookd::base {

void fail_check(std::string_view what, const char* file, int line) {
  std::fprintf(stderr, "webhookd: broken invariant: %.*s (%s:%d)\n", static_cast<int>(what.size()), what.data(), file,
               line);
  std::abort();
}

}  // namespace webhookd::base
