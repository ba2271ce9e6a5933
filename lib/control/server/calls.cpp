#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

using O = protocol::Operation;

struct Row {
  O operation;
  Handler handler;
};

constexpr std::array handlers = {
    Row{O::accept_events, accept_events},
    Row{O::list_webhooks, list_webhooks},
    Row{O::create_webhook, create_webhook},
    Row{O::show_webhook, show_webhook},
    Row{O::patch_webhook, patch_webhook},
    Row{O::delete_webhook, delete_webhook},
    Row{O::activate_webhook, activate_webhook},
    Row{O::deactivate_webhook, deactivate_webhook},
    Row{O::ping_webhook, ping_webhook},
    Row{O::show_secrets, show_secrets},
    Row{O::rotate_secret, rotate_secret},
    Row{O::list_types, list_types},
    Row{O::create_type, create_type},
    Row{O::show_type, show_type},
    Row{O::put_type, put_type},
    Row{O::delete_type, delete_type},
    Row{O::show_event, show_event},
    Row{O::wait_event, wait_event},
    Row{O::list_messages, list_messages},
    Row{O::stream_changes, stream_changes},
    Row{O::show_message, show_message},
    Row{O::retry_message, retry_message},
    Row{O::cancel_message, cancel_message},
    Row{O::wait_message, wait_message},
    Row{O::retry_messages, retry_messages},
    Row{O::cancel_messages, cancel_messages},
    Row{O::list_tasks, list_tasks},
    Row{O::show_task, show_task},
    Row{O::cancel_task, cancel_task},
    Row{O::show_status, show_status},
    Row{O::show_stats, show_stats},
    Row{O::healthz, healthz},
    Row{O::readyz, readyz},
    Row{O::openapi, openapi},
    Row{O::show_clock, show_clock},
    Row{O::advance_clock, advance_clock},
    Row{O::reload, reload},
    Row{O::show_metrics, show_metrics},
    Row{O::back_up, back_up},
    Row{O::export_history, export_history},
    Row{O::import_history, import_history},
    Row{O::check_store, check_store},
    Row{O::list_audit, list_audit},
    Row{O::rotate_master_key, rotate_master_key},
};

}  // namespace

Handler handler_of(protocol::Operation operation) {
  const auto* const found =
      std::find_if(handlers.begin(), handlers.end(), [&](const Row& row) { return row.operation == operation; });
  base::check(found != handlers.end(), "every operation has a handler");
  return found->handler;
}

}  // namespace webhookd::server
