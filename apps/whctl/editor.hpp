// A webhook's definition in the user's editor, as TOML. What comes back is sent as the difference, and only when nobody
// else edited the webhook in between (If-Match). Whatever goes wrong, the user's text stays in its file, which is
// named: nobody types a definition twice.
#pragma once

#include <string>

#include "session.hpp"

namespace webhookd::whctl {

client::Result<ExitCode> edit_in_editor(Session& session, const std::string& webhook);

}  // namespace webhookd::whctl
