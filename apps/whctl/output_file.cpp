#include "output_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "channel.hpp"

namespace webhookd::whctl {

client::Result<void> write_whole_file(const std::string& path, const std::string& text, mode_t mode) {
  const std::string draft = path + ".new";
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file < 0) return client::failure(client::codes::io, path, std::strerror(errno));
  int fault = 0;
  {
    Channel channel(file);
    channel.write(text);
    channel.flush();
    fault = channel.fault();
  }
  if (::close(file) != 0 && fault == 0) fault = errno;
  if (fault == 0 && ::rename(draft.c_str(), path.c_str()) != 0) fault = errno;
  if (fault == 0) return {};
  ::unlink(draft.c_str());
  return client::failure(client::codes::io, path, std::strerror(fault));
}

}  // namespace webhookd::whctl
