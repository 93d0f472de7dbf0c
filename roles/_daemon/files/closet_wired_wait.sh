#!/bin/sh
# Managed by closet.inference. Waits until the wired limit is at least MIB, then becomes the program (same pid).
#   closet-wired-wait MIB PROGRAM [ARGUMENT...]
# launchd starts jobs in no defined order, and MLX reads the wired limit only once, at its start.
wanted=$1
shift
waited=0
limit() { /usr/sbin/sysctl -n iogpu.wired_limit_mb 2>/dev/null || echo 0; }
while [ "$(limit)" -lt "$wanted" ]; do
    if [ "$waited" -ge 60 ]; then
        echo "closet-wired-wait: the wired limit did not reach $wanted MiB within $waited s; starting anyway" >&2
        break
    fi
    waited=$((waited + 1))
    sleep 1
done
echo "closet-wired-wait: $(date '+%Y-%m-%d %H:%M:%S') wired limit $(limit) MiB, starting $1"
exec "$@"
