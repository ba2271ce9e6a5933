// Reads a whole store and compares what it keeps twice: every record of every table by its checksum and grammar, the
// indexes with the messages they stand for, the events' ranges, names and kept counts, the pages that LMDB calls used
// and free. A damaged page can kill or mislead whoever follows it, so the reading is done in a child process, and an
// end by a signal is a finding like any other.
//
// Never here: repairs. A store that is not whole is restored from a backup, or read as far as it can be.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace webhookd::store {

struct CheckFinding {
  std::string table;
  std::string detail;
  bool operator==(const CheckFinding&) const = default;
};

struct CheckReport {
  struct TableRows {
    std::string table;
    std::uint64_t rows = 0;
  };
  std::string store_id;  // empty when it could not be read
  std::uint32_t schema = 0;
  std::string remark;  // what is no damage and worth a word: that the schema is an older one
  std::vector<TableRows> tables;
  std::uint64_t damage = 0;            // findings in all
  std::vector<CheckFinding> findings;  // the first thousand

  bool is_clean() const { return damage == 0; }
};

using CheckProgress = std::function<void(std::string_view table, std::uint64_t rows)>;

// Checks the file of LMDB that nobody writes meanwhile: a copy, or a store whose lock the caller holds. Forks, so it is
// called in a process with one thread.
base::Result<CheckReport> check_store_file(const std::string& data_file, const CheckProgress& progress);

// The store of a data directory that no daemon uses; refused while one does. That it is the one that belongs there, by
// the marker beside it, is checked as well.
base::Result<CheckReport> check_store_directory(const std::string& directory, const CheckProgress& progress);

}  // namespace webhookd::store
