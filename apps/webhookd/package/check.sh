#!/usr/bin/env bash
# Boots systemd in a minimal Debian and lets life.sh take the package through its life there.
#   check.sh ROOT PACKAGE NEWER-PACKAGE
# ROOT is a tree that may be changed, with systemd, dbus and promtool in it. It is booted by systemd-nspawn with a
# network of its own that has only a loopback; nothing of this machine is touched. Needs root.
set -euo pipefail

root=$1
packages=$root/var/lib/check
life=$(dirname "$(readlink -f "$0")")/life.sh

chmod 0755 "$root"  # other users walk through it
install -D -m 0644 "$2" "$packages/first.deb"
install -D -m 0644 "$3" "$packages/newer.deb"
install -m 0755 "$life" "$packages/life.sh"

# What the package depends on comes now, because the booted system has no way out.
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" apt-get install -y -qq --no-install-recommends --download-only /var/lib/check/first.deb >/dev/null

cat >"$root/etc/systemd/system/check.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/var/lib/check/life.sh
# The system ends as the check did.
ExecStopPost=/bin/sh -c '[ "$SERVICE_RESULT" = success ]; systemctl --no-block exit $?'
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
TimeoutStartSec=600
UNIT
ln -sf ../check.service "$root/etc/systemd/system/multi-user.target.wants/check.service"
rm -f "$root"/etc/systemd/system/getty.target.wants/*
ln -sf /dev/null "$root/etc/systemd/system/console-getty.service"

export root
# nspawn leaves traces in /run, so it gets one of its own.
# shellcheck disable=SC2016  # the inner shell expands this
exec unshare --mount --fork --kill-child bash -euc '
  mount --make-rprivate /
  mount -t tmpfs tmpfs /run
  export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
  exec timeout 900 systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --link-journal=no \
    --console=read-only --machine=webhookd-check --directory="$root" \
    systemd.show_status=no systemd.log_target=journal </dev/null'
