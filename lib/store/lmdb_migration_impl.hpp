// From the schema that a store was written with to the one of this program: a table of steps from each version to the
// next, done in one transaction, after the store as it was has been copied beside it. Whoever has to go back finds it
// there, for the older program; nobody removes it but people.
//
// A version is added by a row at the end of the table, `schema_version` (records.hpp), and a store of it among the
// fixtures of tests/. Records are read in all their versions (records.cpp), so a step changes only what reading cannot
// make up for.
//
// Private to this folder.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "store/lmdb_directory.hpp"
#include "store/lmdb_env_impl.hpp"

namespace webhookd::store {

struct Migration {
  std::uint32_t from = 0;  // to from + 1
  std::string_view adds;   // what the newer schema has
  // What is to be done besides making the tables that are missing; none: nothing.
  void (*change)(WriteTransaction&) = nullptr;
};
std::span<const Migration> migrations();

// Opens the tables of a store of schema `from`, which becomes one of schema_version.
Result<void> migrate(Env& env, const StorePaths& paths, std::uint32_t from, base::LogSink& log);

// The same without a copy beside it: of a store that is a copy itself.
Result<void> migrate_copy(Env& env, std::uint32_t from);

}  // namespace webhookd::store
