// Which members of the API's objects make which columns: one table for each kind of object (interface.md section 1).
#pragma once

#include "output.hpp"

namespace webhookd::whctl {

const View& webhook_view();
const View& deleted_webhook_view();
const View& message_view();
const View& changed_message_view();  // after retry, cancel, wait
const View& task_view();
const View& attempt_view();
const View& explanation_view();
const View& event_view();
const View& plan_view();
const View& type_view();
const View& secret_view();
const View& status_view();
const View& stats_view();
const View& clock_view();
const View& change_view();
const View& finding_view();
const View& batch_view();
const View& signature_view();

const View& backup_view();
const View& master_key_view();
const View& audit_view();
const View& import_view();
const View& check_view();
const View& damage_view();

}  // namespace webhookd::whctl
