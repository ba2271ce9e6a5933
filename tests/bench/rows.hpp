// The rows of performance.md that this bench has: each measures its ceiling and the daemon in one go, so that rounds
// interleave them. A row answers lines, because some have several sizes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/process.hpp"
#include "bench/receiver_board.hpp"

namespace bench {

struct Line {
  std::string name;       // "accept, 16 producers"
  std::string reference;  // what `ceiling` is: "L at 16 per commit"
  double ceiling = 0;
  double ours = 0;
  std::string unit;
  double goal = 0;        // of ours / ceiling
  bool is_limit = false;  // the ratio must be at most the goal, not at least
  double cpu_each = 0;    // microseconds of the daemon for one operation; 0 when not measured
  double ratio() const { return ours / ceiling; }
};

struct Bench {
  std::string directory;  // on the disk that is measured
  std::string programs;   // where the ceilings and the receiver are
  std::string receiver_url;
  unsigned receiver_port = 0;
  ReceiverBoard* board = nullptr;
  double seconds = 2;           // of one sample
  unsigned queue = 200'000;     // messages of the delivery row
  unsigned growth = 1'000'000;  // the largest store of the growth row
};

struct Row {
  std::string_view name;
  std::string_view about;
  bool is_once;  // measures its rounds itself
  std::vector<Line> (*measure)(const Bench& bench);
};

const std::vector<Row>& rows();

}  // namespace bench
