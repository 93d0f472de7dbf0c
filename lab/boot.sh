#!/bin/sh
# A simulated Mac switches on. Runs as pid 1 of fresh mount, pid, uts and ipc namespaces, in the
# machine's network namespace, and ends by becoming launchd.
#
# usage: boot.sh NAME FOLDER LAYER HIDE...
#   NAME    the host's name        FOLDER  its upper layer and work folders
#   LAYER   the Mac layer          HIDE    paths of this machine that a Mac must not see
set -eu
name=$1 folder=$2 layer=$3
shift 3
root=$folder/root

hostname "$name"
# The layer lies below /, and overlayfs refuses layers inside each other; seen through an overlay
# of its own it is another file system.
mount -t overlay overlay -o "ro,lowerdir=$layer:$folder/empty" "$folder/layer"
mount -t overlay overlay -o "lowerdir=$folder/layer:/,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
for mountpoint in run:755 dev:755; do
    mount -t tmpfs -o "mode=${mountpoint#*:}" tmpfs "$root/${mountpoint%:*}"
done

# /tmp is emptied at boot, as macOS does, and lives on disk: a pip build may be large.
rm -rf "$folder/tmp"
mkdir -m 1777 "$folder/tmp"
mount --bind "$folder/tmp" "$root/tmp"

for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    mknod -m 666 "$root/dev/${node%%:*}" c "$(echo "$node" | cut -d: -f2)" "${node##*:}"
done
# a tailscaled makes its interface with it
if [ -c /dev/net/tun ]; then
    mkdir "$root/dev/net"
    mknod -m 600 "$root/dev/net/tun" c 10 200
fi
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

for path in "$@"; do
    [ -d "$root$path" ] && mount -t tmpfs -o mode=755,size=4k tmpfs "$root$path"
done
mkdir -p "$root/run/closet-lab" "$root/run/sshd" "$root/var/db/closet-lab" "$root/var/empty"

cd "$root"
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
rmdir /.outside 2>/dev/null || true
exec env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin /sbin/launchd
