"""A file system on which everything hangs for as long as it is mounted. For tests of shares that do not answer."""

import sys
import time

try:
    import fusepy as fuse  # Debian's name for it
except ImportError:
    import fuse


class Hang(fuse.Operations):
    def __call__(self, op, *args):
        if op in ("init", "destroy"):
            return super().__call__(op, *args)
        # The root itself answers once, or the mount would not come about.
        if op == "getattr" and args[0] == "/" and not self.mounted:
            self.mounted = True
            return {"st_mode": 0o40755, "st_nlink": 2}
        time.sleep(600)
        raise fuse.FuseOSError(5)

    mounted = False


fuse.FUSE(Hang(), sys.argv[1], foreground=True, nothreads=False, allow_other=False, nonempty=True)
