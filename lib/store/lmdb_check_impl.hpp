// One reading of a whole store in one snapshot: every row of every table, and what its neighbours say of it. Runs in
// the child of check.hpp, where a damaged page may end the process. A table that cannot be read to its end is left
// there, and the next one is read.
//
// Private to this folder.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "store/check.hpp"
#include "store/lmdb_rows_impl.hpp"

namespace webhookd::store {

class WholeReading {
 public:
  using FindingSink = std::function<void(const CheckFinding&)>;

  // Of an older schema the tables that later ones added are not missed.
  WholeReading(const Env& env, std::uint32_t schema, ReadTransaction& view, const CheckProgress& progress,
               FindingSink found)
      : env_(env), schema_(schema), view_(view), progress_(progress), found_(std::move(found)) {}

  // Everything, table by table; findings go to the sink as they are met.
  void read();
  std::uint64_t damage() const { return damage_; }

 private:
  using RowCheck = void (WholeReading::*)(std::string_view key, std::string_view value);
  struct TableCheck {
    Table table;
    RowCheck row;
  };
  struct Waiting {
    std::uint64_t counted = 0;  // messages that wait
    std::uint64_t kept = 0;     // what the counters say
  };
  static const std::array<TableCheck, table_names.size()> table_checks;

  void read_identity();
  void read_table(const TableCheck& check);
  bool is_there(Table table);
  void take_failure(std::string_view doing);
  void compare_counts();
  void compare_pages();

  void webhook_row(std::string_view key, std::string_view value);
  void counters_row(std::string_view key, std::string_view value);
  void deleting_row(std::string_view key, std::string_view value);
  void name_row(std::string_view key, std::string_view value);
  void type_row(std::string_view key, std::string_view value);
  void event_row(std::string_view key, std::string_view value);
  void message_row(std::string_view key, std::string_view value);
  void attempt_row(std::string_view key, std::string_view value);
  void due_row(std::string_view key, std::string_view value);
  void change_row(std::string_view key, std::string_view value);
  void by_webhook_row(std::string_view key, std::string_view value);
  void span_row(std::string_view key, std::string_view value);
  void task_row(std::string_view key, std::string_view value);
  void audit_row(std::string_view key, std::string_view value);
  void idempotency_row(std::string_view key, std::string_view value);

  void message_neighbours(const domain::Message& message);
  void message_span(const domain::Message& message);
  bool is_deleting(std::uint64_t webhook);
  std::optional<domain::Webhook> webhook_at(std::uint64_t sequence);
  std::optional<MessageRecord> message_at(std::uint64_t sequence);
  bool has(Table table, std::string_view key) { return view_.get(table, key).has_value(); }
  // The value, or nothing after having said what is wrong.
  template <class T>
  std::optional<T> sound(Result<T> decoded) {
    if (decoded) {
      return std::move(*decoded);
    }
    find(decoded.error().detail);
    return std::nullopt;
  }
  void find(std::string detail);
  const Env& env_;
  std::uint32_t schema_;
  ReadTransaction& view_;
  const CheckProgress& progress_;
  FindingSink found_;
  std::uint64_t damage_ = 0;
  std::string_view table_;  // that is being read
  Meta meta_;
  std::uint64_t rows_ = 0;  // of this table
  std::uint64_t used_pages_ = 0;
  std::uint64_t waiting_ = 0;
  std::unordered_map<std::uint64_t, Waiting> by_webhook_;
  std::optional<Span> span_;  // of the bucket that message_span looked at last
};

}  // namespace webhookd::store
