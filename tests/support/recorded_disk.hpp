// A disk under test. Linked into a program, it stands between that program (LMDB too) and the C library in the calls by
// which a store writes: pwrite, writev, fdatasync, fsync. For the files of one directory it records them in order, and
// it can refuse them. From the record it tells what the directory may hold after the power was cut at any of them: all
// that was synced, and of what was written since any part, by sectors, in any mixture.
//
// Never here: what is written through a mapping, creation and renaming of files. Both happen before or beside the
// recording of a store that is open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace webhookd::support {

class RecordedDisk {
 public:
  enum class Kind : std::uint8_t { write, durable_write, sync };  // durable_write: through a descriptor with O_DSYNC
  struct Call {
    Kind kind = Kind::write;
    std::string file;  // relative to the directory
    std::uint64_t offset = 0;
    std::string bytes;
    std::uint64_t noted = 0;  // what the test had noted when the call began
  };

  // Records from now on; what the files hold now counts as durable. One at a time in a process.
  explicit RecordedDisk(const std::filesystem::path& directory);
  ~RecordedDisk();
  RecordedDisk(const RecordedDisk&) = delete;
  RecordedDisk& operator=(const RecordedDisk&) = delete;

  // How much was promised to somebody by now.
  void note(std::uint64_t promised);
  // From the `after`-th call on (0: the next one) so many calls are refused with this error; no others.
  void refuse(std::uint64_t after, std::uint64_t count, int error);
  std::uint64_t calls() const;

  // Ends the recording and gives it away.
  std::vector<Call> take();

  // Of whoever stands in for the C library.
  std::optional<int> begin(Kind kind, int descriptor, std::uint64_t offset, std::string_view bytes);
  static RecordedDisk* of_process();

 private:
  std::filesystem::path directory_;
  mutable std::mutex mutex_;
  std::vector<Call> calls_;
  std::uint64_t count_ = 0;
  std::uint64_t noted_ = 0;
  std::uint64_t refused_from_ = 0;
  std::uint64_t refused_count_ = 0;
  int refused_with_ = 0;
};

// Goes through a recording and says what the disk may hold at each place of it.
class PowerCuts {
 public:
  struct Syncs {
    bool are_kept = true;  // false: a disk that says that it has synced and has not, which no store survives
  };

  // `image` holds the files as they were when the recording began.
  PowerCuts(const std::filesystem::path& image, std::vector<RecordedDisk::Call> calls, Syncs syncs);

  // The power is cut while the next call is made; false at the end.
  bool next();
  std::uint64_t noted() const { return calls_[at_].noted; }
  // One of the directories that may be found then. `kept` is the chance of each unsynced sector, from 0 to 1.
  void write_to(const std::filesystem::path& directory, double kept, std::mt19937_64& random) const;

 private:
  struct File {
    std::string durable;
    std::vector<const RecordedDisk::Call*> unsynced;
  };

  void make_durable(File& file);

  std::vector<RecordedDisk::Call> calls_;
  Syncs syncs_;
  std::map<std::string, File> files_;
  std::size_t at_ = 0;
  bool has_begun_ = false;
};

}  // namespace webhookd::support
