// Requests in a file, one JSON object a line, for listen --record and --replay:
//   {"at":"…","method":"POST","target":"/","headers":[["name","value"]…],"body":"…","status":200}
// A body that is not UTF-8 stands in "body_base64" instead. `status` is what was answered, null when nothing was.
#pragma once

#include <string>

#include "control/client/failure.hpp"
#include "receiver.hpp"

namespace webhookd::whctl {

std::string recorded_line(const ReceivedRequest& request, const std::string& at, int status);
// `place` is what a fault names.
client::Result<ReceivedRequest> read_recorded_line(const std::string& line, const std::string& place);

}  // namespace webhookd::whctl
