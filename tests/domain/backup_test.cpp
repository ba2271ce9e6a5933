#include "domain/backup.hpp"

#include <doctest/doctest.h>

namespace webhookd::domain {

namespace {

const BackupHead head{"0123456789abcdef", 1, "0.1.0", base::time_from_ms(1'700'000'000'000), 10};

std::string backup_of(std::string_view data) {
  BackupWriter writer;
  BackupHead sized = head;
  sized.data_bytes = data.size();
  std::string file = writer.begin(sized);
  writer.add(data);
  file += data;
  return file + writer.seal();
}

struct Reading {
  std::string fault;  // empty: sound
  std::string data;
  BackupHead head;
};

Reading read(std::string_view file, std::size_t piece) {
  BackupReader reader;
  Reading reading;
  for (std::size_t at = 0; at < file.size() && reading.fault.empty(); at += piece) {
    const auto fed = reader.feed(file.substr(at, piece), [&](std::string_view data) { reading.data += data; });
    reading.fault = fed ? "" : fed.error().detail;
  }
  if (reading.fault.empty()) {
    const auto ended = reader.end();
    reading.fault = ended ? "" : ended.error().detail;
  }
  reading.head = reader.head();
  return reading;
}

}  // namespace

TEST_CASE("a backup reads as it was written, in pieces of any size") {
  const std::string file = backup_of("0123456789");
  for (const std::size_t piece : {1, 2, 3, 7, 1000}) {
    const Reading reading = read(file, piece);
    CHECK(reading.fault == "");
    CHECK(reading.data == "0123456789");
    CHECK(reading.head == head);
  }
}

TEST_CASE("a backup without data is a backup") { CHECK(read(backup_of(""), 5).fault == ""); }

TEST_CASE("a backup that was cut off anywhere is refused") {
  const std::string file = backup_of("0123456789");
  for (std::size_t size = 0; size < file.size(); ++size) {
    CHECK_MESSAGE(read(file.substr(0, size), 16).fault != "", size);
  }
}

TEST_CASE("a backup with a changed byte anywhere is refused") {
  const std::string file = backup_of("0123456789");
  for (std::size_t at = 0; at < file.size(); ++at) {
    std::string changed = file;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    CHECK_MESSAGE(read(changed, 16).fault != "", at);
  }
}

TEST_CASE("what follows the end of a backup is refused") {
  CHECK(read(backup_of("0123456789") + "x", 16).fault == "more bytes follow the end of the backup: it is damaged");
}

TEST_CASE("another file is no backup") {
  CHECK(read("#!/bin/sh\n", 4).fault == "this is no backup of webhookd (or one of another format)");
  CHECK(read(std::string(100'000, '\0'), 4096).fault == "this is no backup of webhookd (or one of another format)");
  CHECK(read("", 4).fault == "this is no backup of webhookd: it ends within its first line");
}

}  // namespace webhookd::domain
