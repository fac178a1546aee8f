"""A file system on which everything hangs for as long as it is mounted, or, with a folder and a name, one that shows what is in
that folder and hangs where a file of that name is opened. For tests of shares that do not answer."""

import os
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


class HangAt(fuse.Operations):
    def __init__(self, folder, name):
        self.folder, self.name = folder, name

    def at(self, path):
        return self.folder + path

    def getattr(self, path, fh=None):
        try:
            stat = os.lstat(self.at(path))
        except OSError as e:
            raise fuse.FuseOSError(e.errno)
        keys = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_mtime", "st_ctime", "st_atime", "st_ino")
        return {key: getattr(stat, key) for key in keys}

    def readdir(self, path, fh):
        return [".", ".."] + os.listdir(self.at(path))

    def open(self, path, flags):
        if os.path.basename(path) == self.name:
            time.sleep(600)
        return os.open(self.at(path), os.O_RDONLY)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def release(self, path, fh):
        os.close(fh)


operations = Hang() if len(sys.argv) == 2 else HangAt(*sys.argv[2:])
fuse.FUSE(operations, sys.argv[1], foreground=True, nothreads=False, allow_other=False, nonempty=True)
