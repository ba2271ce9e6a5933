// What the commands do, one function each, all of one shape: they get the parsed words and a session, print data
// through the session's output, and return an exit code or the failure that main prints.
#pragma once

#include "control/client/failure.hpp"
#include "exit_codes.hpp"

namespace webhookd::whctl {

class Session;
class Invocation;

using Handler = client::Result<ExitCode>(Session&, const Invocation&);

// webhooks.cpp, edit.cpp
Handler create_webhook, list_webhooks, edit_webhook, activate_webhooks, deactivate_webhooks, delete_webhooks,
    ping_webhook, show_secrets, rotate_secret;
// why.cpp
Handler explain_message;
// show.cpp
Handler show_subject;
// types.cpp
Handler list_types, show_type, add_type, remove_type;
// emit.cpp
Handler emit_event, trigger_event;
// messages.cpp
Handler show_logs, retry_messages, cancel_messages, wait_for_subjects;
// declare.cpp
Handler export_manifest, diff_manifest, apply_manifest, import_endpoints, import_types;
// listen.cpp
Handler listen_for_requests;
// tunnel.cpp
Handler join_standard_streams;
// top.cpp
Handler watch_daemon;
// signatures.cpp
Handler verify_signature, sign_body;
// daemon.cpp
Handler show_status, show_stats, reload_settings, show_clock, advance_clock, call_api;
// keeping.cpp
Handler back_up_store, check_store, rotate_master_key;
// audit.cpp
Handler show_audit;
// doctor.cpp
Handler examine_daemon;
// help.cpp
Handler show_version, show_help, print_completion;

}  // namespace webhookd::whctl
