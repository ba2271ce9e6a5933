#!/usr/bin/env bash
# The story of one webhook, told on the terminal with the real programs and checked step by step: delivered, retried,
# repaired, cancelled, held, and delivered after a kill -9. Everything lives in a temporary directory and on loopback.
# usage: demo.sh BUILD-DIRECTORY
set -euo pipefail

build=$(readlink -f "$1")
webhookd=$build/apps/webhookd/webhookd
whctl=$build/apps/whctl/whctl
place=$(mktemp -d)
export WHCTL_SOCKET=$place/webhookd.sock
unset WHCTL_OUTPUT XDG_CONFIG_HOME

bold='' green='' red='' faint='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' faint=$'\e[2m' plain=$'\e[0m'
fi

daemon_pid='' failing_pid='' healthy_pid=''

leave() {
  local pid
  for pid in $failing_pid $healthy_pid $daemon_pid; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$place"
}
trap leave EXIT
trap 'exit 130' INT TERM

chapter() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
say() { printf '%s  %s%s\n' "$faint" "$1" "$plain"; }

# Shows a whctl command, runs it, and shows what it prints: as tables when somebody watches.
tell() {
  local word line=whctl
  for word in "$@"; do
    [[ $word != *' '* ]] || word="'$word'"
    line+=" $word"
  done
  printf '  %s$ %s%s\n' "$faint" "$line" "$plain"
  if [[ -t 1 ]]; then
    "$whctl" "$@"
  else
    "$whctl" "$@" | sed 's/^/    /'
  fi
}

passed=0
ok() {
  printf '  %s✓%s %s\n' "$green" "$plain" "$1"
  passed=$((passed + 1))
}
wrong() {
  printf '  %s✗ %s%s\n' "$red" "$1" "$plain"
  printf '\nThe last lines of the daemon'"'"'s log:\n'
  tail -n 20 "$place/webhookd.log" || true
  printf '\n%sThe demo failed.%s\n' "$red" "$plain"
  exit 1
}
# check WORDS COMMAND...: the claim, and what must succeed for it to hold.
check() {
  local words=$1
  shift
  if "$@" >/dev/null; then ok "$words"; else wrong "$words"; fi
}

# Repeats a command until it succeeds, for at most 20 s.
eventually() {
  local deadline=$((SECONDS + 20))
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

start_daemon() {
  "$webhookd" --config "$place/webhookd.toml" --data-dir "$place/data" --socket "$WHCTL_SOCKET" \
    2>>"$place/webhookd.log" &
  daemon_pid=$!
  "$whctl" --wait-daemon 10s status >/dev/null || wrong "webhookd answers on its socket"
}

# start_receiver NAME [FLAGS...]: prints what arrives to NAME.log; its address is then in NAME.url, its pid in $started.
start_receiver() {
  local name=$1
  shift
  rm -f "$place/$name.err"
  "$whctl" listen --secret-file "$place/secret" -o jsonl "$@" >>"$place/$name.log" 2>"$place/$name.err" &
  started=$!
  eventually grep -qs 'http://127.0.0.1:[0-9]' "$place/$name.err" || wrong "the receiver '$name' listens"
  grep -o 'http://127.0.0.1:[0-9]*' "$place/$name.err" | head -n 1 >"$place/$name.url"
}

url_of() { cat "$place/$1.url"; }
requests_at() { wc -l <"$place/$1.log"; }
has_arrived() { grep -qF "$2" "$place/$1.log"; }
arrivals() { grep -cF "$2" "$place/$1.log" || true; }
status_of() { "$whctl" api GET "/v1/messages/$1" | grep -o '"status": *"[a-z]*"' | head -n 1 | grep -o '[a-z]*"$' | tr -d '"'; }
is_now() { [[ $(status_of "$1") == "$2" ]]; }
newest_message() { "$whctl" logs portal -n 1 -q; }
exits_with() {
  local expected=$1 code=0
  shift
  "$@" >/dev/null 2>&1 || code=$?
  [[ $code == "$expected" ]]
}

# A subscription as the API control plane describes it; $1 is its id.
payload() {
  cat <<JSON
{"subscription": {"id": $1, "application": 1203, "apiProduct": 88, "plan": 3, "environments": [1, 4],
  "approvalStatus": "PENDING", "approvalRequest": 915, "deploymentStatus": "DEPLOYMENT_REQUIRED",
  "apiProductDisplayName": "Payments API", "termsOfUseAccepted": true},
 "approvalRequest": {"id": 915, "subscription": $1, "createdByUser": 52, "createdByOrganization": 7,
  "resolvingOrganization": 1, "resolvedByUser": null, "status": "PENDING",
  "comment": "We need this for the new checkout.", "createdAt": "2026-03-02T09:15:27.000Z", "resolvedAt": null},
 "user": {"id": 52, "organization": 7, "username": "j.doe", "displayName": "Jane Doe",
  "email": "jane.doe@example.com", "status": "ACTIVE", "role": "DEVELOPER", "origin": "LOCAL",
  "termsOfUseAccepted": true, "hasImage": false}}
JSON
}
emit() {
  payload "$1" >"$place/payload.json"
  printf '  %s$ whctl emit subscription.create -d @payload.json%s\n' "$faint" "$plain"
  "$whctl" emit subscription.create -d "@$place/payload.json" -q >"$place/event"
  sed 's/^/    /' "$place/event"
}

chapter "A private webhookd and two receivers"
printf '[egress]\nallow = ["127.0.0.0/8"]  # receivers on this machine; the default is public addresses only\n' \
  >"$place/webhookd.toml"
printf 'whsec_%s\n' "$(head -c 32 /dev/urandom | base64)" >"$place/secret"
chmod 600 "$place/secret"
start_daemon
start_receiver failing --status 200,500
failing_pid=$started
start_receiver healthy
healthy_pid=$started
say "one receiver answers 200 once and then 500 for ever, the other always 200"
check "the daemon runs and answers" "$whctl" status -q

chapter "A webhook for subscription.create"
tell create portal --url "$(url_of failing)/hooks" -e subscription.create --secret-file "$place/secret" \
  --retry-initial 1h
tell list
check "it is listed as active" grep -q active <("$whctl" list)
check "an unknown event type is refused (exit 2)" \
  exits_with 2 "$whctl" create nobody --url "$(url_of failing)" -e subscription.crate

chapter "An event, delivered"
say "payload.json, as the API control plane writes it:"
payload 4711 | sed "s/^/    $faint/; s/\$/$plain/"
emit 4711
first=$(newest_message)
check "the message becomes Success" "$whctl" wait "$first" --timeout 20s -q
check "the receiver got this message, with the payload as it was sent" has_arrived failing '"id\": 4711'
check "and its signature is right" grep -q '"signature":"ok"' "$place/failing.log"

chapter "The receiver fails"
emit 4712
second=$(newest_message)
check "the message becomes Retrying" eventually is_now "$second" retrying
tell logs portal
check "its next attempt has a time" grep -q '"next_attempt_at": *"2' <("$whctl" api GET "/v1/messages/$second")

chapter "The URL is edited, and the message retried"
tell edit portal --url "$(url_of healthy)/hooks"
tell retry "$second" --reason "receiver moved"
check "the message becomes Success" "$whctl" wait "$second" --timeout 20s -q
check "at the new address, under the same webhook-id as the failed attempt" \
  test "$(arrivals failing "$second") $(arrivals healthy "$second")" = "1 1"

chapter "A message is cancelled"
tell edit portal --url "$(url_of failing)/hooks"
emit 4713
third=$(newest_message)
check "it waits as Retrying" eventually is_now "$third" retrying
tell cancel "$third" --reason "not wanted any more"
check "it is Cancelled" is_now "$third" cancelled
check "cancelling it once more is a conflict (exit 5)" exits_with 5 "$whctl" cancel "$third"
check "no attempt was made after the first" test "$(arrivals failing "$third")" = 1

chapter "An inactive webhook gets nothing"
tell edit portal --url "$(url_of healthy)/hooks"
tell deactivate portal
before=$(requests_at healthy)
emit 4714
check "the event is accepted with no message" \
  grep -q '"message_count": *0' <(payload 4715 | "$whctl" emit subscription.create -o json)
tell activate portal
emit 4716
check "after activation events flow again" "$whctl" wait "$(newest_message)" --timeout 20s -q
check "and only the event after it was sent" test "$(requests_at healthy)" = $((before + 1))
check "nothing of the events in between" test "$(arrivals healthy '"id\": 4714')$(arrivals healthy '"id\": 4715')" = 00

chapter "kill -9 with messages waiting"
tell edit portal --retry-initial 1s --retry-max 2s
port=$(url_of healthy)
port=${port##*:}
kill "$healthy_pid"
wait "$healthy_pid" 2>/dev/null || true
healthy_pid=''
say "the receiver is switched off"
events=()
for id in 4721 4722 4723 4724 4725; do
  emit "$id"
  events+=("$(cat "$place/event")")
done
check "the last of five messages becomes Retrying" eventually is_now "$(newest_message)" retrying
kill -9 "$daemon_pid"
wait "$daemon_pid" 2>/dev/null || true
check "webhookd is dead (whctl exits 6)" exits_with 6 "$whctl" status --connect-timeout 1s
start_daemon
say "webhookd is back, and so is the receiver"
start_receiver healthy --port "$port"
healthy_pid=$started
check "all five messages are delivered" "$whctl" wait "${events[@]}" --timeout 60s -q
for id in 4721 4722 4723 4724 4725; do
  check "subscription $id arrived once" test "$(arrivals healthy "\"id\\\": $id,")" = 1
done
check "every signature was right" test "$(grep -vc '"signature":"ok"' "$place/failing.log" "$place/healthy.log" |
  cut -d: -f2 | tr -d '\n')" = 00

chapter "The log of the webhook"
tell logs portal

printf '\n%s%s checks passed.%s Everything of this demo is removed again.\n' "$green" "$passed" "$plain"
