"""The clock of the caller and the loop that keeps to it."""

import ctypes
import heapq
import select
import selectors
import time

SPIN = 250e-6


def clock_offset():
    """realtime - monotonic, from the tightest of several reads"""
    best = None
    for _ in range(20):
        a = time.monotonic()
        r = time.time()
        b = time.monotonic()
        if best is None or b - a < best[0]:
            best = (b - a, r - (a + b) / 2)
    return best[1]


def tight_timers():
    try:
        ctypes.CDLL(None).prctl(29, 1, 0, 0, 0)  # PR_SET_TIMERSLACK = 1 ns
    except Exception:
        pass


class Loop:
    """select on an epoll fd (microsecond time-outs) + a heap of timers; single-threaded."""

    def __init__(self):
        tight_timers()
        self.sel = selectors.EpollSelector()
        self.heap, self.n, self.stopped = [], 0, False

    def add(self, sock, fn):
        self.sel.register(sock, selectors.EVENT_READ, fn)

    def remove(self, sock):
        try:
            self.sel.unregister(sock)
        except (KeyError, ValueError):
            pass

    def at(self, t, fn, *a):
        self.n += 1
        h = [t, self.n, fn, a]
        heapq.heappush(self.heap, h)
        return h

    def after(self, dt, fn, *a):
        return self.at(time.monotonic() + dt, fn, *a)

    @staticmethod
    def cancel(h):
        if h:
            h[2] = None

    def stop(self):
        self.stopped = True

    def run(self):
        efd = self.sel.fileno()
        while not self.stopped:
            now = time.monotonic()
            while self.heap and self.heap[0][0] <= now:
                h = heapq.heappop(self.heap)
                if h[2]:
                    fn, h[2] = h[2], None
                    fn(*h[3])
                    now = time.monotonic()
                if self.stopped:
                    return
            while self.heap and self.heap[0][2] is None:
                heapq.heappop(self.heap)
            dt = max(0.0, self.heap[0][0] - time.monotonic()) if self.heap else 1.0
            if dt < SPIN:  # spin the last stretch: a timer's wake-up costs more than this
                continue
            if select.select([efd], [], [], min(dt - SPIN, 1.0))[0]:
                for key, _ in self.sel.select(0):
                    key.data()
