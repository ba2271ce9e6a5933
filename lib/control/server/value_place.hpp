// Where a value stands in a JSON text, as a chain of steps that lives on the stack of whoever walks it. It costs two
// words a level and becomes a pointer only when there is a fault to tell.
//
// Never here: a bound of the number of steps; the walk has one.
#pragma once

#include <cstddef>
#include <string_view>

#include "control/protocol/members.hpp"

namespace webhookd::server {

struct ValuePlace {
  const ValuePlace* above = nullptr;  // none: the root
  std::string_view member;
  std::size_t index = 0;
  bool is_element = false;

  ValuePlace below(std::string_view name) const { return {this, name}; }
  ValuePlace at(std::size_t element) const { return {this, {}, element, true}; }
};

// Below `root`, a member of the request. Long names are cut, and a pointer of more than about a kilobyte ends at the
// value around.
protocol::Place spelled(const ValuePlace& place, std::string_view root);

}  // namespace webhookd::server
