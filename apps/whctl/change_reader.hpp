// The daemon's stream of changes, read line by line. Lines that were cut off with the connection are not seen: what was
// handed on is whole, and its cursor is where to go on.
//
// Never here: what is done with a line, or coming back after the daemon went away (logs.cpp).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "session.hpp"
#include "target.hpp"

namespace webhookd::whctl {

// A message as it now stands, with its `cursor`; without an `id` the cursor alone.
using ChangeLines = std::vector<Document>;

struct ChangeRequest {
  Target target{"/v1/stream"};  // with its filters
  std::string after;            // a cursor, or "start"; empty: from now on
  bool follows = false;
  std::optional<std::uint64_t> lines;  // at most
};

// `take` gets what has arrived together and answers whether to go on. Ends without a failure when the stream does.
client::Result<void> read_changes(Session& session, const ChangeRequest& request,
                                  const std::function<bool(const ChangeLines&)>& take);

}  // namespace webhookd::whctl
