// Loaded before the C library into a program under test: while the file that REFUSING_DISK names exists, the disk
// refuses what is written through a descriptor with O_DSYNC. So LMDB writes the page that makes a commit count; when
// that fails it gives up (MDB_PANIC).
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

extern "C" ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  using Pwrite = ssize_t (*)(int, const void*, size_t, off_t);
  static const auto real = reinterpret_cast<Pwrite>(::dlsym(RTLD_NEXT, "pwrite"));
  const char* const while_there = std::getenv("REFUSING_DISK");
  if (while_there != nullptr && (::fcntl(descriptor, F_GETFL) & O_DSYNC) != 0 && ::access(while_there, F_OK) == 0) {
    errno = EIO;
    return -1;
  }
  return real(descriptor, bytes, size, offset);
}
