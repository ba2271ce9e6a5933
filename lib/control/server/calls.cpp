#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

using O = protocol::Operation;

struct Entry {
  O operation;
  Handler handler;
};

constexpr std::array table = {
    Entry{O::accept_events, accept_events},
    Entry{O::list_webhooks, list_webhooks},
    Entry{O::create_webhook, create_webhook},
    Entry{O::show_webhook, show_webhook},
    Entry{O::patch_webhook, patch_webhook},
    Entry{O::delete_webhook, delete_webhook},
    Entry{O::activate_webhook, activate_webhook},
    Entry{O::deactivate_webhook, deactivate_webhook},
    Entry{O::ping_webhook, ping_webhook},
    Entry{O::show_secrets, show_secrets},
    Entry{O::rotate_secret, rotate_secret},
    Entry{O::list_types, list_types},
    Entry{O::create_type, create_type},
    Entry{O::show_type, show_type},
    Entry{O::put_type, put_type},
    Entry{O::delete_type, delete_type},
    Entry{O::show_event, show_event},
    Entry{O::wait_event, wait_event},
    Entry{O::list_messages, list_messages},
    Entry{O::stream_changes, stream_changes},
    Entry{O::show_message, show_message},
    Entry{O::retry_message, retry_message},
    Entry{O::cancel_message, cancel_message},
    Entry{O::wait_message, wait_message},
    Entry{O::show_status, show_status},
    Entry{O::healthz, healthz},
    Entry{O::readyz, readyz},
    Entry{O::openapi, openapi},
    Entry{O::show_clock, show_clock},
    Entry{O::advance_clock, advance_clock},
    Entry{O::reload, reload},
    Entry{O::show_metrics, show_metrics},
    Entry{O::back_up, back_up},
    Entry{O::check_store, check_store},
};

}  // namespace

Handler handler_of(protocol::Operation operation) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [operation](const Entry& entry) { return entry.operation == operation; });
  base::check(found != table.end(), "every operation has a handler");
  return found->handler;
}

}  // namespace webhookd::server
