#!/usr/bin/env bash
# The life of the package on a system that systemd has booted: installed, used, reloaded, stopped under load, killed,
# hung, misconfigured, sealed, backed up, upgraded, removed, purged. check.sh boots that system and runs this in it as
# a service of its own; what it prints goes to the system's console.
#
# The daemon runs under its shipped unit, with one difference: a system call that the unit forbids kills it at once,
# where the unit lets the call fail. So whatever is missing in the filter cannot pass unnoticed.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root SYSTEMD_COLORS=0

packages=/var/lib/check
conf=/etc/webhookd/webhookd.toml
receivers=()

step() { printf '%-80s' "$1"; }
ok() { echo ok; }
die() {
  echo "FAILED: $*"
  systemctl --no-pager --full status webhookd.service webhookd.socket || true
  journalctl --no-pager -q -u webhookd.service -n 40 || true
  exit 1
}
as() { setpriv --reuid="$1" --regid="$1" --init-groups -- "${@:2}"; }
of_unit() { systemctl show --value --property="$1" "${2:-webhookd.service}"; }
# expect WHAT COMMAND...: until the command succeeds, at most 20 s.
expect() {
  local what=$1 _
  shift
  for _ in $(seq 400); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.05
  done
  die "not seen within 20 s: $what"
}
# refused STATUS COMMAND...: it exits with that status.
refused() {
  local expected=$1 status=0
  shift
  "$@" >/tmp/refused 2>&1 || status=$?
  ((status == expected)) || die "exit $status, not $expected: $* ($(cat /tmp/refused))"
}
restrain() {  # restrain NAME LINE...: a drop-in of the unit
  local name=$1
  shift
  mkdir -p /etc/systemd/system/webhookd.service.d
  printf '%s\n' '[Service]' "$@" >"/etc/systemd/system/webhookd.service.d/$name.conf"
  systemctl daemon-reload
}
waiting() { whctl status -o json --fields store.waiting | tr -dc 0-9; }
holds() { [[ $(waiting) == "$1" ]]; }
restarted_once() { [[ $(of_unit NRestarts) == 1 ]]; }
receiver() {  # receiver PORT ARGUMENTS...
  whctl listen --port "$@" >/dev/null 2>&1 &
  receivers+=($!)
  expect "a receiver on port $1" bash -c "exec 3<>/dev/tcp/127.0.0.1/$1"
}
microseconds_of() {  # how long a command took, in $took
  local begun=${EPOCHREALTIME/./}
  "$@"
  took=$((${EPOCHREALTIME/./} - begun))
}

life_installs() {
  step "apt installs the package with what it needs, and starts it"
  restrain strict 'SystemCallErrorNumber=kill'
  apt-get install -y -qq --no-install-recommends "$packages/first.deb" >/tmp/apt.log 2>&1 ||
    { cat /tmp/apt.log; die apt; }
  systemctl is-active -q webhookd.service webhookd.socket || die "not active"
  systemctl is-enabled -q webhookd.service webhookd.socket || die "not enabled"
  whctl status >/dev/null || die "no answer"
  ok
  step "its user, files, pages and completions are there; nothing is writable by others"
  id webhookd >/dev/null
  [[ -f /usr/share/man/man8/webhookd.8.gz && -f /usr/share/bash-completion/completions/whctl ]] || die "files"
  [[ $(stat -c %a:%U /var/lib/webhookd) == 700:webhookd ]] || die "the state directory"
  [[ $(stat -c %a:%U:%G /run/webhookd/webhookd.sock) == 666:webhookd:webhookd ]] || die "the socket"
  [[ -z $(dpkg -L webhookd | xargs -d '\n' -I{} find {} -maxdepth 0 -perm /022 ! -type l) ]] || die "writable files"
  ok
  step "systemd finds nothing to say against the units; exposure at most 1.5"
  [[ -z $(systemd-analyze --man=no verify webhookd.service webhookd.socket 2>&1) ]] || die "verify"
  systemd-analyze security --no-pager --threshold=15 webhookd.service >/dev/null || die "security"
  ok
  step "the restrictions are in force in the process"
  local pid fact
  pid=$(of_unit MainPID)
  for fact in 'CapEff:\s*0*$' 'CapBnd:\s*0*$' 'NoNewPrivs:\s*1' 'Seccomp:\s*2'; do
    grep -Eq "^$fact" "/proc/$pid/status" || die "$fact"
  done
  [[ $(of_unit NRestarts) == 0 ]] || die "it was started more than once"
  ok
}

life_access() {
  useradd --groups webhookd producer
  useradd stranger
  whctl types add check.made >/dev/null 2>&1 || die "a type"  # of no schema
  step "a member of the group emits, another user is denied"
  as producer whctl emit check.made -d '{"n":1}' >/dev/null || die emit
  refused 4 as stranger whctl emit check.made -d '{}'
  ok
  step "a member of the group may not change webhooks"
  refused 4 as producer whctl create x --url https://example.org/ -e '*'
  ok
}

life_reload() {
  step "systemctl reload takes a new file; the status says what runs"
  sed -i -e 's/^#level = .*/level = "debug"/' -e 's|^#allow = .*|allow = ["127.0.0.0/8"]|' $conf
  systemctl reload webhookd || die reload
  journalctl -q -u webhookd WEBHOOKD_EVENT=reloaded | grep -q log.level || die "no line of the reload"
  [[ $(of_unit StatusText) == *"events accepted"* ]] || die "status: $(of_unit StatusText)"
  ok
  step "a wrong file is refused by the reload, and the daemon goes on"
  local pid
  pid=$(of_unit MainPID)
  echo 'nonsense = 1' >>$conf
  refused 1 systemctl reload webhookd
  [[ $(of_unit MainPID) == "$pid" ]] || die "another process"
  journalctl -q -p err -u webhookd WEBHOOKD_EVENT=reload_refused | grep -q nonsense || die "no line of the refusal"
  ok
  step "started with a wrong file it fails once (78) and is not tried again"
  refused 1 systemctl restart webhookd
  [[ $(of_unit ExecMainStatus) == 78 && $(of_unit NRestarts) == 0 ]] ||
    die "status $(of_unit ExecMainStatus), $(of_unit NRestarts) restarts"
  sed -i '/^nonsense/d' $conf
  systemctl start webhookd || die start
  ok
}

life_delivers() {
  step "a delivery, and the journal finds it by the webhook's id"
  receiver 38001 --status 410
  receiver 38002
  local hook
  whctl create good --url http://127.0.0.1:38002/ -e '*' >/dev/null 2>&1
  hook=$(whctl create bad --url http://127.0.0.1:38001/ -e '*' -q 2>/dev/null)
  as producer whctl emit check.made -d '{"n":2}' >/dev/null
  expect "both settled" holds 0
  expect "the journal's line" bash -c "journalctl -q -p warning WEBHOOK_ID=$hook | grep -q ."
  whctl delete bad --yes >/dev/null 2>&1
  ok
  step "metrics are what promtool expects"
  whctl api GET /metrics >/tmp/metrics
  promtool check metrics </tmp/metrics >/tmp/promtool 2>&1 || die "$(cat /tmp/promtool)"
  [[ ! -s /tmp/promtool ]] || die "$(cat /tmp/promtool)"
  promtool check rules /usr/share/doc/webhookd/webhookd-alerts.yml >/tmp/promtool 2>&1 || die "$(cat /tmp/promtool)"
  ok
  step "doctor, check, backup and export work under the restrictions"
  whctl doctor >/tmp/doctor 2>&1 || die "$(cat /tmp/doctor)"
  whctl check >/tmp/check 2>&1 || die "$(cat /tmp/check)"
  whctl backup ~/one.backup >/tmp/backup 2>&1 || die "$(cat /tmp/backup)"
  whctl export --messages -f ~/messages.jsonl >/tmp/export 2>&1 || die "$(cat /tmp/export)"
  ok
}

life_sockets() {
  step "a client waits at the socket while the daemon is down, and is served"
  systemctl -q stop webhookd.service
  [[ $(of_unit ActiveState) == inactive && $(of_unit ActiveState webhookd.socket) == active ]] || die "states"
  as producer whctl emit check.made -d '{"n":3}' >/dev/null || die "not served"
  systemctl is-active -q webhookd.service || die "not started by the client"
  ok
  step "of 200 clients that connect during 5 restarts none is refused"
  local failures=/tmp/failures clients
  : >$failures
  (for i in $(seq 200); do
    as producer whctl emit check.made -d "{\"n\":$i}" >/dev/null 2>>$failures || echo "$i refused" >>$failures
  done) &
  clients=$!
  for _ in $(seq 5); do systemctl restart webhookd.service || die restart; done
  wait "$clients"
  [[ ! -s $failures ]] || die "$(cat $failures)"
  ok
}

life_stops() {
  step "stopping under load with hanging receivers: at most 10 s, nothing lost"
  expect "the earlier events delivered" holds 0
  whctl deactivate good >/dev/null 2>&1
  receiver 38003 --delay 60s
  for i in $(seq 20); do
    whctl create "hook $i" --url http://127.0.0.1:38003/ -e '*' --timeout 60s >/dev/null 2>&1
  done
  seq 200 | sed 's/.*/{"type":"check.made","data":{"n":&}}/' | as producer whctl emit --batch - >/dev/null 2>&1
  microseconds_of systemctl -q stop webhookd.service
  ((took <= 10000000)) || die "it took $took us"
  [[ $(of_unit Result) == success ]] || die "result $(of_unit Result)"
  systemctl start webhookd.service
  holds 4000 || die "$(waiting) wait"
  printf '(%d ms) ' $((took / 1000))
  ok
  step "killed, it is started again, and nothing is lost"
  systemctl kill --signal=KILL webhookd.service
  expect "a second start" restarted_once
  expect "all waiting" holds 4000
  ok
  step "hung, the watchdog ends it, and it is started again"
  restrain watchdog WatchdogSec=2s TimeoutAbortSec=1s
  systemctl restart webhookd.service
  kill -STOP "$(of_unit MainPID)"
  expect "a start after the watchdog" restarted_once
  expect "all waiting" holds 4000
  journalctl -q -u webhookd.service | grep -q "watchdog" || die "no word of the watchdog"
  rm /etc/systemd/system/webhookd.service.d/watchdog.conf
  systemctl daemon-reload
  ok
}

life_seals() {
  step "a master key by LoadCredential seals the store; it is rotated"
  (umask 077 && head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' >/etc/webhookd/master_key &&
    head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' >/etc/webhookd/master_key.next)
  restrain key LoadCredential=master_key:/etc/webhookd/master_key \
    LoadCredential=master_key.next:/etc/webhookd/master_key.next
  systemctl restart webhookd.service || die restart
  local first second
  first=$(whctl status -o json --fields store.master_key)
  [[ $first == *[0-9a-f]* ]] || die "not sealed: $first"
  whctl secret rotate-master --yes >/tmp/rotated 2>&1 || die "$(cat /tmp/rotated)"
  mv /etc/webhookd/master_key.next /etc/webhookd/master_key
  restrain key LoadCredential=master_key:/etc/webhookd/master_key
  systemctl restart webhookd.service || die "restart with the next key"
  second=$(whctl status -o json --fields store.master_key)
  [[ $second != "$first" ]] || die "the same key"
  whctl secret show good >/dev/null || die "the secret cannot be read"
  ok
  step "without its key it does not start (78), and says why"
  mv /etc/systemd/system/webhookd.service.d/key.conf /tmp/key.conf
  systemctl daemon-reload
  refused 1 systemctl restart webhookd.service
  [[ $(of_unit ExecMainStatus) == 78 ]] || die "status $(of_unit ExecMainStatus)"
  mv /tmp/key.conf /etc/systemd/system/webhookd.service.d/
  systemctl daemon-reload
  systemctl start webhookd.service || die start
  ok
}

life_ends() {
  step "an upgrade keeps configuration and store; a client during it is served"
  as producer whctl emit check.made -d '{"n":4}' >/dev/null
  apt-get install -y -qq "$packages/newer.deb" >/tmp/apt.log 2>&1 &
  local apt=$!
  while kill -0 $apt 2>/dev/null; do
    # The file of the tool itself is away for a moment while dpkg replaces it.
    [[ -x /usr/bin/whctl ]] && { whctl status >/dev/null 2>/tmp/denied || [[ ! -s /tmp/denied ]] || die "$(cat /tmp/denied)"; }
  done
  wait $apt || { cat /tmp/apt.log; die apt; }
  dpkg-query -W -f '${Version}' webhookd | grep -q '\.2$' || die "version"
  grep -q '^level = "debug"' $conf || die "the configuration"
  systemctl is-active -q webhookd.service || die "not active"
  holds 4020 || die "$(waiting) wait"
  ok
  step "a backup is restored as the manual says"
  systemctl stop webhookd.service webhookd.socket
  as webhookd webhookd --restore ~/one.backup >/tmp/restored 2>&1 && die "the daemon's user read root's file"
  install -o webhookd -m 0600 ~/one.backup /var/lib/webhookd/one.backup
  mv /etc/systemd/system/webhookd.service.d/key.conf /tmp/key.conf
  systemctl daemon-reload
  as webhookd webhookd --restore /var/lib/webhookd/one.backup >/tmp/restored 2>&1 || die "$(cat /tmp/restored)"
  systemctl start webhookd.socket webhookd.service || die start
  holds 0 || die "$(waiting) wait"
  whctl show good >/dev/null || die "the webhook is not there"
  ok
  step "a removal stops it, and keeps configuration and store"
  apt-get remove -y -qq webhookd >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; die apt; }
  [[ $(of_unit ActiveState) == inactive && ! -e /usr/bin/webhookd && ! -e /lib/systemd/system/webhookd.service ]] || die left
  [[ -f $conf && -d /var/lib/webhookd/store ]] || die "gone"
  ok
  step "a purge leaves nothing behind"
  apt-get purge -y -qq webhookd >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; die apt; }
  rm -rf /etc/systemd/system/webhookd.service.d /etc/webhookd/master_key
  rmdir /etc/webhookd 2>/dev/null || true
  local left
  left=$(find / -xdev \( -path /proc -o -path /tmp -o -path "$packages" -o -path /var/lib/apt -o -path /var/cache \) -prune \
    -o -name '*webhookd*' -print)
  [[ -z $left ]] || die "left behind: $left"
  ok
}

for part in installs access reload delivers sockets stops seals ends; do
  "life_$part"
done
kill "${receivers[@]}" 2>/dev/null || true
