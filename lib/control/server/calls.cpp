#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

namespace {

using O = protocol::Operation;

struct Call {
  protocol::Operation operation;
  Handler handler;
};

constexpr std::array calls = {
    Call{O::accept_events, accept_events},
    Call{O::list_webhooks, list_webhooks},
    Call{O::create_webhook, create_webhook},
    Call{O::show_webhook, show_webhook},
    Call{O::patch_webhook, patch_webhook},
    Call{O::delete_webhook, delete_webhook},
    Call{O::activate_webhook, activate_webhook},
    Call{O::deactivate_webhook, deactivate_webhook},
    Call{O::ping_webhook, ping_webhook},
    Call{O::show_secrets, show_secrets},
    Call{O::rotate_secret, rotate_secret},
    Call{O::list_types, list_types},
    Call{O::create_type, create_type},
    Call{O::show_type, show_type},
    Call{O::put_type, put_type},
    Call{O::delete_type, delete_type},
    Call{O::show_event, show_event},
    Call{O::wait_event, wait_event},
    Call{O::list_messages, list_messages},
    Call{O::stream_changes, stream_changes},
    Call{O::show_message, show_message},
    Call{O::retry_message, retry_message},
    Call{O::cancel_message, cancel_message},
    Call{O::wait_message, wait_message},
    Call{O::show_status, show_status},
    Call{O::healthz, healthz},
    Call{O::readyz, readyz},
    Call{O::openapi, openapi},
    Call{O::show_clock, show_clock},
    Call{O::advance_clock, advance_clock},
    Call{O::reload, reload},
    Call{O::show_metrics, show_metrics},
};

}  // namespace

Handler handler_of(protocol::Operation operation) {
  const auto found =
      std::find_if(calls.begin(), calls.end(), [operation](const Call& call) { return call.operation == operation; });
  base::check(found != calls.end(), "every operation has a handler");
  return found->handler;
}

}  // namespace webhookd::server
