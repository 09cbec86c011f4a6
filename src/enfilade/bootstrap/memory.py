"""How the process keeps memory: tuned for bodies of megabytes, of which each call with an image needs a few.

By itself the C library gives such pieces back to the system as soon as they are free, and gets each one again page by
page: several milliseconds of the event loop for every image (see the scenario `translation` of the benchmark).
"""

import ctypes
import gc

GC_THRESHOLDS = (20_000, 20, 100)
"""A call makes few objects that live on, and none in cycles: looking for cycles more often only costs time."""
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Names of settings in glibc's `malloc.h`."""
KEPT_BYTES = 64_000_000
"""So much free memory stays with the process after a burst of large bodies."""
LARGEST_PIECE = 32_000_000


def tune() -> None:
    """Keep what is freed for the next large body, and leave what was built so far out of every collection."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # Other C libraries have other ways, and other needs.
        mallopt(MMAP_THRESHOLD, LARGEST_PIECE)
        mallopt(TRIM_THRESHOLD, KEPT_BYTES)
    gc.collect()
    gc.set_threshold(*GC_THRESHOLDS)
    keep()


def keep() -> None:
    """Leave what there is out of every collection: it stays for as long as the process."""
    gc.freeze()
