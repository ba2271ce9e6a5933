// LMDB's own view of a closed store, for doing to it what nobody should.
#pragma once

#include <doctest/doctest.h>
#include <lmdb.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

namespace webhookd::store_test {

inline void with_raw_store(const std::filesystem::path& data, const std::function<void(MDB_txn*)>& change) {
  MDB_env* env = nullptr;
  REQUIRE(mdb_env_create(&env) == MDB_SUCCESS);
  mdb_env_set_maxdbs(env, 16);
  mdb_env_set_mapsize(env, std::size_t{1} << 30);
  REQUIRE(mdb_env_open(env, (data / "store").c_str(), 0, 0600) == MDB_SUCCESS);
  MDB_txn* txn = nullptr;
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == MDB_SUCCESS);
  change(txn);
  REQUIRE(mdb_txn_commit(txn) == MDB_SUCCESS);
  mdb_env_close(env);
}

// Turns one bit of the last byte of a row.
inline void damage_row(const std::filesystem::path& data, const char* table, std::string_view key) {
  with_raw_store(data, [&](MDB_txn* txn) {
    MDB_dbi dbi = 0;
    REQUIRE(mdb_dbi_open(txn, table, 0, &dbi) == MDB_SUCCESS);
    MDB_val wanted{key.size(), const_cast<char*>(key.data())};
    MDB_val found{};
    REQUIRE(mdb_get(txn, dbi, &wanted, &found) == MDB_SUCCESS);
    std::string bytes(static_cast<const char*>(found.mv_data), found.mv_size);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    MDB_val changed{bytes.size(), bytes.data()};
    REQUIRE(mdb_put(txn, dbi, &wanted, &changed, 0) == MDB_SUCCESS);
  });
}

inline constexpr std::size_t page_bytes = 4096;

// Where in the file the topmost page of a table is.
inline std::size_t root_place(const std::filesystem::path& data, const std::string& table) {
  std::uint64_t page = 0;
  with_raw_store(data, [&](MDB_txn* txn) {
    MDB_dbi main = 0;
    REQUIRE(mdb_dbi_open(txn, nullptr, 0, &main) == MDB_SUCCESS);
    MDB_val key{table.size(), const_cast<char*>(table.data())};
    MDB_val record{};
    REQUIRE(mdb_get(txn, main, &key, &record) == MDB_SUCCESS);
    std::memcpy(&page, static_cast<const char*>(record.mv_data) + record.mv_size - sizeof page, sizeof page);
  });
  return static_cast<std::size_t>(page) * page_bytes;
}

// The whole file.
inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void write_content(const std::filesystem::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace webhookd::store_test
