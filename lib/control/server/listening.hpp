// The Unix socket in the file system: made for everybody to connect to (whom [access] does not name is told so, in
// serving.cpp), a stale file replaced, a live one refused, removed at the
// end only while it is still ours. One that somebody else opened for us is used as it is, and its file left alone.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.hpp"

namespace webhookd::server {

struct Listening {
  int descriptor = -1;  // bound and listening
  dev_t device = 0;     // of the socket file; 0 when it is not ours
  ino_t inode = 0;
};

// Errors name the path and why.
base::Result<Listening> listen_on(const std::string& path);
void remove_socket(const std::string& path, const Listening& listening);

}  // namespace webhookd::server
