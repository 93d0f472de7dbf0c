#!/bin/sh
# The power of one machine of the lab: boots it, and boots it again when it asked for a reboot.
#
# usage: firmware.sh NAMESPACE BOOT-ARGUMENTS...
# pid 1 ends with 85 for a reboot and 86 for a halt; any other end is a machine without power.
set -u
space=$1
shift
while :; do
    ip netns exec "$space" unshare --mount --pid --uts --ipc --fork --kill-child \
        --propagation private -- "$(dirname "$0")/boot.sh" "$@"
    [ $? -eq 85 ] || exit
done
