#include "store/lmdb_reads_impl.hpp"
#include "store/rules.hpp"

namespace webhookd::store {

AuditPage read_audit(Rows& rows, const AuditQuery& query) {
  AuditPage page;
  const auto cursor = rows.view().cursor(Table::audit);
  bool more = query.before == 0 ? cursor->last() : cursor->seek_back(sequence_key(query.before - 1).view());
  std::uint64_t last = query.before;
  for (std::size_t looked_at = 0; more; more = cursor->previous()) {
    if (page.lines.size() == query.limit || looked_at++ == query.scan_limit) {
      page.next = last;
      return page;
    }
    last = parse_sequence_key(cursor->key()).value_or(0);
    auto line = decode_audit(last, cursor->value());
    if (!line) {
      rows.damage().add(line.error());
    } else if (matches_audit(query, *line)) {
      page.lines.push_back(std::move(*line));
    }
  }
  return page;
}

}  // namespace webhookd::store
