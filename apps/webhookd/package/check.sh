#!/usr/bin/env bash
# The life of the package in a clean root: installed, used as its units would run it, upgraded, removed, purged.
#   check.sh ROOT PACKAGE NEWER-PACKAGE
# ROOT is a minimal Debian that may be changed. It is entered in mount and process name spaces of its own; nothing of
# this machine is touched. Needs root. Where systemd cannot be booted, each unit's command line is run as the unit
# would: as its user, without capabilities, in its directories, on its socket.
set -euo pipefail

root=$1
first=$2
newer=$3

# ---- inside ---------------------------------------------------------------------------------------------------------
inside=$(cat <<'INSIDE'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
step() { printf '%-62s' "$1"; }
ok() { echo ok; }
die() { echo "FAILED: $*" >&2; exit 1; }

# A unit's restrictions as far as they need no service manager.
unit=(prlimit --core=0 -- setpriv --reuid=webhookd --regid=webhookd --clear-groups --no-new-privs --bounding-set=-all
  --inh-caps=-all -- env -i PATH=/usr/bin:/bin INVOCATION_ID=check)
as_unit() { "${unit[@]}" "$@"; }
directories() {
  install -d -o webhookd -g webhookd -m 0700 /var/lib/webhookd
  install -d -o webhookd -g webhookd -m 0755 /run/webhookd
}
socket=/run/webhookd/webhookd.sock
as() { setpriv --reuid="$1" --regid="$1" --init-groups -- "${@:2}"; }

start() {
  directories
  "${unit[@]}" /usr/bin/webhookd 2>>/var/log/webhookd.log &
  daemon=$!
  for _ in $(seq 200); do
    if whctl status >/dev/null 2>&1; then return; fi
    sleep 0.05
  done
  cat /var/log/webhookd.log >&2
  die "the daemon is not ready"
}
stop() {
  local begun=$SECONDS
  kill -TERM "$daemon"
  wait "$daemon" || die "the daemon ended with $?"
  ((SECONDS - begun <= 10)) || die "stopping took $((SECONDS - begun)) s"
}

step "apt installs the package with what it needs"
apt-get install -y -qq --no-install-recommends /tmp/first.deb >/tmp/apt.log 2>&1 || { cat /tmp/apt.log >&2; die apt; }
ok
step "its user, its files and its units are there"
id webhookd >/dev/null
test -x /usr/bin/webhookd && test -x /usr/bin/whctl
test -f /usr/share/man/man8/webhookd.8.gz && test -f /usr/share/bash-completion/completions/whctl
test -L /etc/systemd/system/multi-user.target.wants/webhookd.service
test -L /etc/systemd/system/sockets.target.wants/webhookd.socket
systemd-analyze --man=no verify /lib/systemd/system/webhookd.service /lib/systemd/system/webhookd.socket
systemd-analyze security --offline=true --threshold=15 /lib/systemd/system/webhookd.service >/dev/null
ok
step "the shipped configuration is good"
as_unit /usr/bin/webhookd --check-config
ok

useradd --groups webhookd producer
useradd stranger
step "a member of the group emits"
start
as producer whctl emit subscription.create -d '{"n":1}' >/dev/null
ok
step "another user is denied"
status=0
as stranger whctl emit subscription.create -d '{}' >/dev/null 2>/tmp/denied || status=$?
((status == 4 || status == 6)) || die "exit $status: $(cat /tmp/denied)"
ok
step "a member of the group may not change webhooks"
status=0
as producer whctl create x --url https://example.org/ -e '*' >/dev/null 2>&1 || status=$?
((status == 4)) || die "exit $status"
ok
step "the unit's reload line reads the configuration anew"
sed -i 's/^#level = .*/level = "debug"/' /etc/webhookd/webhookd.toml
reload=$(sed -n 's/^ExecReload=//p' /lib/systemd/system/webhookd.service)
as_unit $reload --fields key -o csv --no-headers | grep -qx log.level
echo 'nonsense = 1' >>/etc/webhookd/webhookd.toml
if as_unit $reload 2>/dev/null; then die "a wrong file was taken"; fi
sed -i '/^nonsense/d' /etc/webhookd/webhookd.toml
ok

step "stopping under load with hanging receivers, nothing lost"
sed -i 's|^#allow = .*|allow = ["127.0.0.0/8"]|' /etc/webhookd/webhookd.toml
as_unit $reload >/dev/null
whctl listen --port 38099 --delay 60s >/dev/null 2>&1 &
receiver=$!
for i in $(seq 20); do
  whctl create "hook $i" --url http://127.0.0.1:38099/ -e '*' --timeout 60s >/dev/null 2>&1
done
seq 200 | sed 's/.*/{"type":"subscription.create","data":{"n":&}}/' | as producer whctl emit --batch - >/dev/null 2>&1
stop
start
test "$(whctl status -o json --fields store.waiting | tr -dc 0-9)" = 4000
kill "$receiver"
wait "$receiver" 2>/dev/null || true
ok
step "an upgrade keeps the edited configuration and the store"
stop
apt-get install -y -qq /tmp/newer.deb >/tmp/apt.log 2>&1 || { cat /tmp/apt.log >&2; die apt; }
dpkg-query -W -f '${Version}' webhookd | grep -q '\.2$'
grep -q '^level = "debug"' /etc/webhookd/webhookd.toml
start
test "$(whctl status -o json --fields store.waiting | tr -dc 0-9)" = 4000
stop
ok
step "a removal keeps configuration and store"
apt-get remove -y -qq webhookd >/tmp/apt.log 2>&1
test ! -e /usr/bin/webhookd && test ! -e /lib/systemd/system/webhookd.service
test -f /etc/webhookd/webhookd.toml && test -d /var/lib/webhookd/store
ok
step "a purge leaves nothing behind"
apt-get purge -y -qq webhookd >/tmp/apt.log 2>&1
left=$(find / -xdev \( -path /proc -o -path /tmp -o -path /var/lib/apt -o -path /var/cache \) -prune -o -name '*webhookd*' -print |
  grep -v '^/var/log/' || true)
test -z "$left" || die "left behind: $left"
ok
INSIDE
)

# ---- outside --------------------------------------------------------------------------------------------------------
chmod 0755 "$root"  # other users walk through it
install -m 0644 "$first" "$root/tmp/first.deb"
install -m 0644 "$newer" "$root/tmp/newer.deb"
cp /etc/resolv.conf "$root/etc/resolv.conf"
export inside root
# shellcheck disable=SC2016  # the inner shell expands these
exec unshare --mount --pid --fork --kill-child bash -euc '
  mount --make-rprivate /
  mount -t proc proc "$root/proc"
  mount -t tmpfs tmpfs "$root/run"
  exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 bash -c "$inside"'
