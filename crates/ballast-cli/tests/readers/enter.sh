# A container's root of this machine's own: read-only but for /tmp, the baked layer, the cache and
# the reader mounted where an image has them.
root=$1 layer=$2 volume=$3 venv=$4 tools=$5
shift 5
mount --bind / "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/opt"
mkdir "$root/opt/baked-models" "$root/opt/cache" "$root/opt/reader" "$root/opt/tools"
mount --bind "$layer" "$root/opt/baked-models"
mount --bind "$volume" "$root/opt/cache"
mount --bind "$venv" "$root/opt/reader"
mount --bind "$tools" "$root/opt/tools"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
mount -o remount,bind,ro "$root/opt/baked-models"
exec chroot "$root" "$@"
