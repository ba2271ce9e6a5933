// Child processes of the bench: started with arguments, ended with their owner, and what CPU they have used.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace bench {

class Process {
 public:
  // The first argument is the program. Its standard error goes to `log`, or where ours goes when that is empty.
  explicit Process(const std::vector<std::string>& arguments, const std::string& log = {});
  ~Process();  // SIGKILL
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // The next line of its standard output; throws when it ends first.
  std::string read_line();
  bool is_running() const;
  // User and system time, from /proc.
  double cpu_microseconds() const;

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

// From the fork to the first byte that the program prints; it is then read to its end. Throws when it fails.
double first_byte_microseconds(const std::vector<std::string>& arguments);

// What a ceiling program prints when it is done.
struct Measured {
  double operations = 0;
  double seconds = 0;
  double cpu_microseconds = 0;
  double rate() const { return operations / seconds; }
  double cpu_each() const { return cpu_microseconds / operations; }
};
Measured run_ceiling(const std::vector<std::string>& arguments);

}  // namespace bench
