// Ceiling X: a program that is started, asks once over a Unix socket, and prints the first byte of the answer: what any
// tool costs before it does anything.
// usage: ceiling_start SOCKET, where ceiling_echo listens.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  constexpr char request[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (argc != 2 || std::strlen(argv[1]) >= sizeof address.sun_path) {
    std::fputs("usage: ceiling_start SOCKET\n", stderr);
    return 2;
  }
  std::strcpy(address.sun_path, argv[1]);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  char answer[4096];
  const bool is_answered = ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                           ::write(socket, request, sizeof request - 1) == sizeof request - 1 &&
                           ::read(socket, answer, sizeof answer) > 0 && ::write(STDOUT_FILENO, answer, 1) == 1;
  return is_answered ? 0 : 1;
}
