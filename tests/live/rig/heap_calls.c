/* Counts what each thread of a program asks of its heap, from outside: loaded before it (LD_PRELOAD), it stands between
 * the program and glibc's malloc. HEAP_CALLS names the file with the counts, records of `struct count`; threads of the same
 * name share one. Read by measure/heap.py. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

enum { NAMES = 64 };

/* The kernel's 16 bytes of a thread's name, as two numbers that are written once. */
struct count {
    _Atomic uint64_t name[2];
    _Atomic uint64_t calls;
};

static struct count *counts;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("HEAP_CALLS");
    int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file < 0)
        return;
    if (ftruncate(file, NAMES * sizeof *counts) == 0) {
        void *shared = mmap(NULL, NAMES * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (shared != MAP_FAILED)
            counts = shared;
    }
    close(file);
}

static void count(void)
{
    union {
        char text[16];
        uint64_t number[2];
    } name = {{0}};
    if (!counts)
        return;
    prctl(PR_GET_NAME, name.text);
    /* Asked for by name each time: a thread is named only after it began. No name begins with a zero. */
    for (int at = 0; at < NAMES; at++) {
        uint64_t free_place = 0;
        struct count *one = &counts[at];
        if (atomic_compare_exchange_strong(&one->name[0], &free_place, name.number[0]))
            atomic_store(&one->name[1], name.number[1]);
        else if (free_place != name.number[0] || atomic_load(&one->name[1]) != name.number[1])
            continue;
        atomic_fetch_add(&one->calls, 1);
        return;
    }
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    count();
    return __libc_realloc(old, size);
}

void free(void *old)
{
    int error = errno;
    count();
    errno = error;
    __libc_free(old);
}

void *memalign(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **to, size_t alignment, size_t size)
{
    count();
    *to = __libc_memalign(alignment, size);
    return *to ? 0 : ENOMEM;
}
