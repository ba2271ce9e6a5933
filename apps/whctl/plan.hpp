// The way from what the daemon has to what a manifest declares: steps to create, edit and delete, found and checked
// before the first is done. Every step has passed the daemon's whole validation (dry_run) when the plan stands; when
// one did not, nothing is done. Steps are idempotent: a plan made after it was carried out is empty.
#pragma once

#include <string>
#include <vector>

#include "manifest.hpp"
#include "session.hpp"

namespace webhookd::whctl {

struct Change {
  std::string field;
  std::string before;  // JSON; "" for secrets, which are not shown
  std::string after;
};

enum class Action { create, edit, remove };

struct Step {
  Action action = Action::create;
  std::string_view kind;  // "webhook", "type"
  std::string name;
  std::vector<Change> changes;  // of an edit
  std::string method;
  std::string target;
  std::string body;
  std::string etag;  // If-Match; empty for none
};

struct PlanOptions {
  std::string place;    // of the manifest, for what is wrong in it
  bool prunes = false;  // delete what is not declared: webhooks, and types of the users' own
  bool edits = true;    // false: what exists is left as it is
};

// Every fault but the last is reported; the last is the failure.
client::Result<std::vector<Step>> make_plan(Session& session, const Manifest& manifest, const PlanOptions& options);
// One line a step ("+ create webhook orders"), an edit one for each field.
client::Result<void> print_plan(Session& session, const std::vector<Step>& steps);
client::Result<void> carry_out(Session& session, const std::vector<Step>& steps);

// The merge patch (RFC 7396) that makes `current` into `desired`; members that the daemon keeps are left out.
std::string merge_patch(Json current, Json desired);

}  // namespace webhookd::whctl
