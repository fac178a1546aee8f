# A machine of its own: what this system has, in a view that keeps no change. $1: the folder that both see. It is the first process
# of its own kind, and plays systemd for pcm.service where /run/systemd/system is there: it starts, stops and restarts the main
# process alone, as KillMode=process says.
set -e
shared=$1
mount -t tmpfs -o mode=755 tmpfs "$shared/.machine"
cd "$shared/.machine"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" root
mount -t proc proc root/proc
mount --rbind /dev root/dev
mount -t tmpfs -o mode=755 tmpfs root/run
mount -t tmpfs -o mode=1777 tmpfs root/tmp
mkdir -p "root$shared"
mount --bind "$shared" "root$shared"
# Nothing of a pcm that the system itself may have.
if chroot root dpkg-query -W pcm >/dev/null 2>&1; then chroot root dpkg --force-depends --no-triggers -P pcm; fi
rm -rf root/etc/pcm root/var/lib/pcm root/var/log/pcm root/etc/systemd/system/pcm.service root/etc/systemd/system/multi-user.target.wants/pcm.service root/usr/bin/pcm root/usr/local/bin/pcm
sed -i '/^pcm-operators:/d; /^pcm-reader:/d' root/etc/group root/etc/gshadow root/etc/passwd root/etc/shadow
# Whether packages may start services here is said by a test.
rm -f root/usr/sbin/policy-rc.d root/usr/bin/systemctl
cat >root/usr/bin/systemctl <<'ASK'
#!/bin/sh
while case $1 in --quiet | --system) ;; *) false ;; esac; do shift; done
wants=/etc/systemd/system/multi-user.target.wants
case $1 in
is-enabled) [ -L $wants/pcm.service ] && echo enabled; exit ;;
is-active) exit 3 ;;
unmask)
    case $2 in --runtime) mask=/run/systemd/system/$3 ;; *) mask=/etc/systemd/system/$2 ;; esac
    if [ "$(readlink "$mask")" = /dev/null ]; then rm "$mask"; fi
    exit
    ;;
enable) mkdir -p $wants; ln -sf /usr/lib/systemd/system/pcm.service $wants/pcm.service ;;
disable) rm -f $wants/pcm.service ;;
esac
echo "$*" >>/run/asked
[ -d /run/systemd/system ] || exit 0
echo "$*" >/run/ask
read -r done </run/answer
ASK
chmod 755 root/usr/bin/systemctl
mkfifo root/run/ask root/run/answer
touch "$shared/.ready"
exec chroot root /bin/bash -c '
cd /
main=
stop() { [ -z "$main" ] || { kill "$main" && wait "$main"; main=; }; } 2>/dev/null
start() { stop; pcm service run >/dev/null 2>>/run/service.err </dev/null & main=$!; }
while read -r words </run/ask || :; do
    case $words in
    enable*--now*) [ -n "$main" ] || start ;;
    *--now*) stop ;;
    restart*) start ;;
    try-restart*) [ -z "$main" ] || start ;;
    stop*) stop ;;
    esac
    echo >/run/answer
done'
