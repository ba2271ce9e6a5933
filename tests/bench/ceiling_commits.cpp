// Ceiling L: what LMDB alone can commit durably on this disk: event, message, due index and webhook index, nothing
// else, BATCH events in each transaction, with the same flags as the store.
// usage: ceiling_commits DIRECTORY BATCH SECONDS; prints operations, seconds and CPU microseconds.

#include <lmdb.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr std::size_t body_bytes = 512;
constexpr std::size_t event_record_bytes = body_bytes + 64;
constexpr std::size_t message_record_bytes = 128;
constexpr std::size_t map_bytes = std::size_t{16} << 30;

void must(int code) {
  if (code != 0) {
    std::fprintf(stderr, "ceiling_commits: %s\n", mdb_strerror(code));
    std::exit(1);
  }
}

std::string key_of(std::initializer_list<std::uint64_t> parts) {
  std::string key;
  for (const std::uint64_t part : parts) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      key += static_cast<char>(part >> shift & 0xff);
    }
  }
  return key;
}

void put(MDB_txn* transaction, MDB_dbi table, std::string key, std::string& value) {
  MDB_val k{key.size(), key.data()};
  MDB_val v{value.size(), value.data()};
  must(mdb_put(transaction, table, &k, &v, 0));
}

struct Tables {
  MDB_dbi events, messages, due, by_webhook;
};

Tables open_tables(MDB_env* environment) {
  MDB_txn* transaction = nullptr;
  must(mdb_txn_begin(environment, nullptr, 0, &transaction));
  Tables tables{};
  must(mdb_dbi_open(transaction, "events", MDB_CREATE, &tables.events));
  must(mdb_dbi_open(transaction, "messages", MDB_CREATE, &tables.messages));
  must(mdb_dbi_open(transaction, "due", MDB_CREATE, &tables.due));
  must(mdb_dbi_open(transaction, "by_webhook", MDB_CREATE, &tables.by_webhook));
  must(mdb_txn_commit(transaction));
  return tables;
}

double cpu_microseconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto total = [](timeval t) { return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec); };
  return total(usage.ru_utime) + total(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: ceiling_commits DIRECTORY BATCH SECONDS\n", stderr);
    return 2;
  }
  const long batch = std::atol(argv[2]);
  const std::chrono::duration<double> span(std::atof(argv[3]));
  MDB_env* environment = nullptr;
  must(mdb_env_create(&environment));
  must(mdb_env_set_maxdbs(environment, 8));
  must(mdb_env_set_mapsize(environment, map_bytes));
  must(mdb_env_open(environment, argv[1], MDB_NOTLS | MDB_NORDAHEAD, 0600));
  const Tables tables = open_tables(environment);
  std::string event(event_record_bytes, 'e');
  std::string message(message_record_bytes, 'm');
  std::string webhook = key_of({1});
  const double cpu_before = cpu_microseconds();
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t sequence = 0;
  std::chrono::duration<double> passed{};
  do {
    MDB_txn* transaction = nullptr;
    must(mdb_txn_begin(environment, nullptr, 0, &transaction));
    for (long i = 0; i < batch; ++i) {
      ++sequence;
      put(transaction, tables.events, key_of({sequence}), event);
      put(transaction, tables.messages, key_of({sequence}), message);
      put(transaction, tables.due, key_of({1, 1'800'000'000'000 + sequence / 1000, sequence}), webhook);
      put(transaction, tables.by_webhook, key_of({sequence >> 13, 1, sequence}), webhook);
    }
    must(mdb_txn_commit(transaction));
    passed = std::chrono::steady_clock::now() - start;
  } while (passed < span);
  std::printf("%llu %.6f %.0f\n", static_cast<unsigned long long>(sequence), passed.count(),
              cpu_microseconds() - cpu_before);
  mdb_env_close(environment);
}
