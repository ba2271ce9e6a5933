#include "store/flight_journal.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/checksum.hpp"

namespace webhookd::store {

namespace {

constexpr std::size_t slot_bytes = 64;
constexpr std::size_t slot_count = 16384;
constexpr std::size_t file_bytes = slot_bytes * (slot_count + 1);  // the first is the head
constexpr std::string_view head = "webhookd flights 1\n";

struct Slot {
  std::uint64_t message = 0;  // 0: free
  std::uint64_t webhook = 0;
  std::int64_t at_ms = 0;
  std::uint32_t number = 0;
  std::uint32_t trigger = 0;
  std::uint32_t checksum = 0;
  std::uint32_t unused = 0;
};
static_assert(sizeof(Slot) <= slot_bytes);

std::uint32_t checksum_of(const Slot& slot) {
  return base::crc32c(0, {reinterpret_cast<const char*>(&slot), offsetof(Slot, checksum)});
}

std::optional<FlightNote> read_slot(const char* place, FlightSlot index) {
  Slot slot;
  std::memcpy(&slot, place, sizeof slot);
  if (slot.message == 0 || slot.checksum != checksum_of(slot) ||
      slot.trigger > static_cast<std::uint32_t>(domain::Trigger::probe)) {
    return std::nullopt;
  }
  return FlightNote{MessageId{slot.message},
                    WebhookId{slot.webhook},
                    slot.number,
                    base::time_from_ms(slot.at_ms),
                    static_cast<domain::Trigger>(slot.trigger),
                    index};
}

}  // namespace

base::Result<FlightJournal> FlightJournal::open(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.is_open()) {
    return system_error("cannot open", path, errno);
  }
  if (const int failed = ::posix_fallocate(file.get(), 0, static_cast<off_t>(file_bytes)); failed != 0) {
    return system_error("cannot take room for", path, failed);
  }
  void* map = ::mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (map == MAP_FAILED) {
    return system_error("cannot map", path, errno);
  }
  return FlightJournal(static_cast<char*>(map));
}

FlightJournal::FlightJournal(char* map) : map_(map) {
  if (std::string_view(map_, head.size()) != head) {
    std::memset(map_, 0, file_bytes);
    std::memcpy(map_, head.data(), head.size());
  }
  for (FlightSlot slot = slot_count; slot > 0; --slot) {  // low slots are used first: few pages are touched
    if (!read_slot(slot_at(slot), slot)) {
      free_.push_back(slot);
    }
  }
}

FlightJournal::FlightJournal(FlightJournal&& other) noexcept
    : map_(std::exchange(other.map_, nullptr)), free_(std::move(other.free_)) {}

FlightJournal& FlightJournal::operator=(FlightJournal&& other) noexcept {
  std::swap(map_, other.map_);
  std::swap(free_, other.free_);
  return *this;
}

FlightJournal::~FlightJournal() {
  if (map_ != nullptr) {
    ::munmap(map_, file_bytes);
  }
}

char* FlightJournal::slot_at(FlightSlot slot) const { return map_ + slot * slot_bytes; }

std::vector<FlightNote> FlightJournal::found() const {
  std::vector<FlightNote> notes;
  for (FlightSlot slot = 1; map_ != nullptr && slot <= slot_count; ++slot) {
    if (auto note = read_slot(slot_at(slot), slot)) {
      notes.push_back(*note);
    }
  }
  // Every page has been looked at; those that are used come back one by one, and what was written is the file's.
  if (map_ != nullptr) {
    ::madvise(map_, file_bytes, MADV_DONTNEED);
  }
  return notes;
}

FlightSlot FlightJournal::note(const FlightNote& note) {
  if (free_.empty()) {
    return no_flight_slot;
  }
  const FlightSlot index = free_.back();
  free_.pop_back();
  Slot slot;
  slot.message = note.message.value;
  slot.webhook = note.webhook.value;
  slot.at_ms = base::to_ms(note.at);
  slot.number = note.number;
  slot.trigger = static_cast<std::uint32_t>(note.trigger);
  slot.checksum = checksum_of(slot);
  std::memcpy(slot_at(index), &slot, sizeof slot);
  return index;
}

void FlightJournal::forget(FlightSlot slot) {
  if (slot == no_flight_slot || map_ == nullptr) {
    return;
  }
  std::memset(slot_at(slot), 0, sizeof(Slot::message));
  free_.push_back(slot);
}

}  // namespace webhookd::store
