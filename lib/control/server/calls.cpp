#include "base/check.hpp"
#include "control/server/call_impl.hpp"

namespace webhookd::server {

Handler handler_of(protocol::Operation operation) {
  using O = protocol::Operation;
  switch (operation) {
    case O::accept_events:
      return accept_events;
    case O::list_webhooks:
      return list_webhooks;
    case O::create_webhook:
      return create_webhook;
    case O::show_webhook:
      return show_webhook;
    case O::patch_webhook:
      return patch_webhook;
    case O::delete_webhook:
      return delete_webhook;
    case O::activate_webhook:
      return activate_webhook;
    case O::deactivate_webhook:
      return deactivate_webhook;
    case O::ping_webhook:
      return ping_webhook;
    case O::show_secrets:
      return show_secrets;
    case O::rotate_secret:
      return rotate_secret;
    case O::list_types:
      return list_types;
    case O::create_type:
      return create_type;
    case O::show_type:
      return show_type;
    case O::put_type:
      return put_type;
    case O::delete_type:
      return delete_type;
    case O::show_event:
      return show_event;
    case O::wait_event:
      return wait_event;
    case O::list_messages:
      return list_messages;
    case O::stream_changes:
      return stream_changes;
    case O::show_message:
      return show_message;
    case O::retry_message:
      return retry_message;
    case O::cancel_message:
      return cancel_message;
    case O::wait_message:
      return wait_message;
    case O::show_status:
      return show_status;
    case O::healthz:
      return healthz;
    case O::readyz:
      return readyz;
    case O::openapi:
      return openapi;
    case O::show_clock:
      return show_clock;
    case O::advance_clock:
      return advance_clock;
    case O::reload:
      return reload;
    case O::show_metrics:
      return show_metrics;
  }
  base::check(false, "every operation has a handler");
  return nullptr;
}

}  // namespace webhookd::server
