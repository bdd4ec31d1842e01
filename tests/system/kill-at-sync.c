/* Preloaded into the daemon, it kills it as `kill -9` would, at the $KILL_AT-th time that any of its threads is about to have
   something made durable. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void step(void)
{
    static atomic_int steps;
    const char *at = getenv("KILL_AT");
    if (at && atomic_fetch_add(&steps, 1) + 1 == atoi(at))
        kill(getpid(), SIGKILL);
}

int fsync(int fd)
{
    step();
    return syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    step();
    return syscall(SYS_fdatasync, fd);
}
