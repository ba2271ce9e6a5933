#include "support/recorded_disk.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

namespace webhookd::support {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t sector_bytes = 512;

std::atomic<RecordedDisk*> installed = nullptr;

std::string name_of(int descriptor) {
  std::error_code failure;
  const fs::path path = fs::read_symlink("/proc/self/fd/" + std::to_string(descriptor), failure);
  return failure ? std::string() : path.string();
}

bool is_durable_at_once(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags >= 0 && (flags & O_DSYNC) != 0;
}

void put(std::string& content, std::uint64_t offset, std::string_view bytes) {
  content.resize(std::max<std::size_t>(content.size(), offset + bytes.size()));
  bytes.copy(content.data() + offset, bytes.size());
}

// Each sector of the write for itself: a page that was being written may be found half old and half new.
void put_some(std::string& content, const RecordedDisk::Call& call, double kept, std::mt19937_64& random) {
  std::bernoulli_distribution is_kept(kept);
  std::size_t done = 0;
  while (done < call.bytes.size()) {
    const std::size_t in_sector = (call.offset + done) % sector_bytes;
    const std::size_t part = std::min(sector_bytes - in_sector, call.bytes.size() - done);
    if (is_kept(random)) {
      put(content, call.offset + done, std::string_view(call.bytes).substr(done, part));
    }
    done += part;
  }
}

}  // namespace

// ---- recording ----------------------------------------------------------------------------------------------------

RecordedDisk::RecordedDisk(const fs::path& directory) : directory_(fs::canonical(directory)) { installed = this; }

RecordedDisk::~RecordedDisk() { installed = nullptr; }

RecordedDisk* RecordedDisk::of_process() { return installed; }

void RecordedDisk::note(std::uint64_t promised) {
  const std::lock_guard lock(mutex_);
  noted_ = promised;
}

void RecordedDisk::refuse(std::uint64_t after, std::uint64_t count, int error) {
  const std::lock_guard lock(mutex_);
  refused_from_ = count_ + after;
  refused_count_ = count;
  refused_with_ = error;
}

std::uint64_t RecordedDisk::calls() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

std::vector<RecordedDisk::Call> RecordedDisk::take() {
  installed = nullptr;
  const std::lock_guard lock(mutex_);
  return std::exchange(calls_, {});
}

std::optional<int> RecordedDisk::begin(Kind kind, int descriptor, std::uint64_t offset, std::string_view bytes) {
  const std::string name = name_of(descriptor);
  const std::string root = directory_.string() + "/";
  if (!name.starts_with(root)) {
    return std::nullopt;
  }
  if (kind == Kind::write && is_durable_at_once(descriptor)) {
    kind = Kind::durable_write;
  }
  const std::lock_guard lock(mutex_);
  const std::uint64_t number = count_++;
  if (number >= refused_from_ && number - refused_from_ < refused_count_) {
    return refused_with_;
  }
  calls_.push_back({kind, name.substr(root.size()), offset, std::string(bytes), noted_});
  return std::nullopt;
}

// ---- cuts ---------------------------------------------------------------------------------------------------------

PowerCuts::PowerCuts(const fs::path& image, std::vector<RecordedDisk::Call> calls, Syncs syncs)
    : calls_(std::move(calls)), syncs_(syncs) {
  for (const auto& entry : fs::recursive_directory_iterator(image)) {
    if (entry.is_regular_file()) {
      std::ifstream stream(entry.path(), std::ios::binary);
      files_[fs::relative(entry.path(), image).string()].durable = {std::istreambuf_iterator<char>(stream), {}};
    }
  }
}

void PowerCuts::make_durable(File& file) {
  for (const RecordedDisk::Call* call : std::exchange(file.unsynced, {})) {
    put(file.durable, call->offset, call->bytes);
  }
}

bool PowerCuts::next() {
  if (has_begun_) {
    const RecordedDisk::Call& ended = calls_[at_];
    File& file = files_[ended.file];
    if (ended.kind == RecordedDisk::Kind::sync) {
      if (syncs_.are_kept) {
        make_durable(file);
      }
    } else if (ended.kind == RecordedDisk::Kind::durable_write && syncs_.are_kept) {
      put(file.durable, ended.offset, ended.bytes);
    } else {
      file.unsynced.push_back(&ended);
    }
    ++at_;
  }
  has_begun_ = true;
  return at_ < calls_.size();
}

void PowerCuts::write_to(const fs::path& directory, double kept, std::mt19937_64& random) const {
  for (const auto& [name, file] : files_) {
    std::string content = file.durable;
    for (const RecordedDisk::Call* call : file.unsynced) {
      put_some(content, *call, kept, random);
    }
    if (calls_[at_].file == name) {
      put_some(content, calls_[at_], kept, random);  // under way
    }
    fs::create_directories((directory / name).parent_path());
    std::ofstream(directory / name, std::ios::binary | std::ios::trunc) << content;
  }
}

}  // namespace webhookd::support

// ---- in the place of the C library --------------------------------------------------------------------------------

namespace {

using webhookd::support::RecordedDisk;

template <class F>
F next_in_line(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

// True: refused, with errno set.
bool is_refused(RecordedDisk::Kind kind, int descriptor, std::uint64_t offset, std::string_view bytes) {
  RecordedDisk* const disk = RecordedDisk::of_process();
  const auto error = disk != nullptr ? disk->begin(kind, descriptor, offset, bytes) : std::nullopt;
  if (error) {
    errno = *error;
  }
  return error.has_value();
}

}  // namespace

extern "C" {

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  static const auto real = next_in_line<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  const std::string_view content(static_cast<const char*>(bytes), size);
  const bool refused = is_refused(RecordedDisk::Kind::write, descriptor, static_cast<std::uint64_t>(offset), content);
  return refused ? -1 : real(descriptor, bytes, size, offset);
}

ssize_t writev(int descriptor, const iovec* pieces, int count) {
  static const auto real = next_in_line<ssize_t (*)(int, const iovec*, int)>("writev");
  std::string content;
  for (int i = 0; RecordedDisk::of_process() != nullptr && i < count; ++i) {
    content.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  const off_t offset = ::lseek(descriptor, 0, SEEK_CUR);
  const bool refused = is_refused(RecordedDisk::Kind::write, descriptor, static_cast<std::uint64_t>(offset), content);
  return refused ? -1 : real(descriptor, pieces, count);
}

int fdatasync(int descriptor) {
  static const auto real = next_in_line<int (*)(int)>("fdatasync");
  return is_refused(RecordedDisk::Kind::sync, descriptor, 0, {}) ? -1 : real(descriptor);
}

int fsync(int descriptor) {
  static const auto real = next_in_line<int (*)(int)>("fsync");
  return is_refused(RecordedDisk::Kind::sync, descriptor, 0, {}) ? -1 : real(descriptor);
}
}
