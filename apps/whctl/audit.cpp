// audit: who changed what.
#include <array>

#include "session.hpp"
#include "target.hpp"
#include "values.hpp"
#include "views.hpp"

namespace webhookd::whctl {

using client::Result;

namespace {

constexpr std::size_t lines_default = 50;
constexpr std::array audit_filters{Filter{"OBJECT", "object"}, Filter{"user", "user"},
                                   Filter{"operation", "operation"}};

}  // namespace

Result<ExitCode> show_audit(Session& session, const Invocation& invocation) {
  Target target("/v1/audit");
  target.add_given(invocation, audit_filters);
  if (const auto added = target.add_times(invocation, [&] { return session.now(); }); !added) return added.error();
  const auto lines = line_count(invocation, 1);
  if (!lines) return lines.error();
  const auto listed = session.list(target.text(), static_cast<std::size_t>(lines->value_or(lines_default)));
  if (!listed) return listed.error();
  const auto printed = session.output().list(audit_view(), listed->items, listed->next_cursor);
  if (!printed) return printed.error();
  if (listed->items.empty() && session.console().out_is_terminal) session.note("nothing");
  return ExitCode::done;
}

}  // namespace webhookd::whctl
