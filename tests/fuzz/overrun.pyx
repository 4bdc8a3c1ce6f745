"""An overrun on demand: it proves that the fuzz build catches one. Never part of the product."""

from libc.stdlib cimport free, malloc


def read(unsigned int size, unsigned int at):
    """The byte at ``at`` of a block of ``size`` bytes: behind its end from ``size`` on."""
    cdef unsigned char *block = <unsigned char *> malloc(size)
    cdef unsigned int i
    for i in range(size):
        block[i] = 1
    cdef int found = block[at]
    free(block)
    return found


def wrap(int by):
    """A signed sum, which may not wrap."""
    return 0x7FFFFFFF + by
