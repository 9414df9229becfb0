"""Counts how often a file is opened. Each fake library opens its script once per process."""

import ctypes
import os
import struct


class Opens:
    """Counts by inotify how often a file of a directory is opened. Consecutive equal events are merged, so that
    closing is watched, too."""

    IN_OPEN, IN_CLOSE_NOWRITE = 0x20, 0x10

    def __init__(self, directory, name):
        libc = ctypes.CDLL(None, use_errno=True)
        self.name, self.seen = name.encode(), 0
        self.handle = libc.inotify_init1(os.O_NONBLOCK)
        if self.handle < 0 or libc.inotify_add_watch(self.handle, os.fsencode(directory), self.IN_OPEN | self.IN_CLOSE_NOWRITE) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def count(self):
        while True:
            try:
                events = os.read(self.handle, 1 << 20)
            except BlockingIOError:
                return self.seen
            while events:
                _, mask, _, length = struct.unpack_from("iIII", events)
                self.seen += mask == self.IN_OPEN and events[16:16 + length].rstrip(b"\0") == self.name
                events = events[16 + length:]
