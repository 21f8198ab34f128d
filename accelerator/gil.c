/* A look at epoll without the GIL, so that an OS thread that waits for the GIL gets it: the double of EpollPoller.wait,
   and of greening/_core/gil.py, which has the reasons. */
#include "accelerator.h"

#ifdef __linux__
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>

/* Events per system call, and seconds: the same as in greening/_core/poller.py. */
enum { BATCH = 512 };
static const double PRECISE = 0.020, LONGEST = 1e6;

/* Nanoseconds, except SHARE: as in greening/_core/gil.py, except SIGNAL. Here only the release is timed, not a whole
   Python call: 50 to 100 when no thread waits, 1,000 and more when it wakes a thread. */
enum { SIGNAL = 300, STAY_AWAY = 30000, SHARE = 5, KEEP_LEAST = 50000, KEEP_MOST = 1000000 };

/* For all hubs, since there is one GIL. Read and written with the GIL only. */
static long long usual = -1; /* nanoseconds of a release that wakes no thread */
static long long keep_until;
static int in_a_row; /* consecutive releases that woke a thread */

static long long
now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void
learn_usual(void)
{
    for (int i = 0; i < 16; i++) {
        long long began = now();
        PyThreadState *state = PyEval_SaveThread();
        long long took = now() - began;
        PyEval_RestoreThread(state);
        if (usual < 0 || took < usual)
            usual = took;
    }
}

/* epoll_wait(2) for up to `seconds`; below zero: for ever. Waits below PRECISE have nanosecond precision. */
static int
wait_events(int fd, struct epoll_event *events, double seconds)
{
    if (seconds > 0 && seconds < PRECISE) {
        struct pollfd whole = {fd, POLLIN, 0};
        struct timespec limit = {0, (long)(seconds * 1e9) + 1000}; /* rounded up, see below */
        if (ppoll(&whole, 1, &limit, NULL) < 0)
            return -1;
        seconds = 0;
    }
    /* Rounded up: a hub that woke too early would make a turn for nothing. */
    int limit = seconds < 0 ? -1 : (int)((seconds > LONGEST ? LONGEST : seconds) * 1e3 + 0.999999);
    return epoll_wait(fd, events, BATCH, limit);
}

/* Let the woken thread have the GIL before we want it back. At first stay on the CPU: where every CPU is busy, one that
   is given up may be lost for milliseconds. If threads go on waiting, sleep: they may need this very CPU. */
static void
stay_away(long long gone)
{
    if (in_a_row > 2) {
        struct timespec moment = {0, STAY_AWAY};
        nanosleep(&moment, NULL);
    }
    while (now() - gone < STAY_AWAY)
        ;
}

/* wait_events, with the GIL released meanwhile. */
static int
wait_without_gil(int fd, struct epoll_event *events, double seconds)
{
    long long began = now();
    if (began < keep_until) {
        int found = epoll_wait(fd, events, BATCH, 0);
        if (found != 0 || seconds == 0)
            return found;
    }
    PyThreadState *state = PyEval_SaveThread();
    long long gone = now();
    int found = wait_events(fd, events, seconds), error = errno;
    int wanted = gone - began > 2 * usual + SIGNAL;
    if (wanted && now() - gone < STAY_AWAY)
        stay_away(gone);
    PyEval_RestoreThread(state);
    in_a_row = wanted ? in_a_row + 1 : 0;
    if (wanted) {
        long long back = now(), keep = (back - gone) / SHARE;
        keep_until = back + (keep < KEEP_LEAST ? KEEP_LEAST : keep > KEEP_MOST ? KEEP_MOST : keep);
    }
    errno = error;
    return found;
}

/* The events as EpollPoller.wait returns them; NULL without an error: a signal came. */
static PyObject *
listed_events(int fd, double seconds)
{
    struct epoll_event events[BATCH]; /* big, but nothing switches while it is there */
    int found = wait_without_gil(fd, events, seconds);
    if (found < 0) {
        if (errno != EINTR)
            PyErr_SetFromErrno(PyExc_OSError);
        return NULL;
    }
    PyObject *list = PyList_New(found);
    for (int i = 0; list != NULL && i < found; i++) {
        PyObject *event = PyTuple_New(2);
        PyObject *number = PyLong_FromLong(events[i].data.fd), *mask = PyLong_FromUnsignedLong(events[i].events);
        if (event == NULL || number == NULL || mask == NULL) {
            Py_XDECREF(event);
            Py_XDECREF(number);
            Py_XDECREF(mask);
            Py_CLEAR(list);
            break;
        }
        PyTuple_SetItem(event, 0, number);
        PyTuple_SetItem(event, 1, mask);
        PyList_SetItem(list, i, event);
    }
    return list;
}

/* wait_epoll(epoll descriptor, seconds or None) */
static PyObject *
wait_epoll(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "wait_epoll() takes a descriptor and a timeout");
        return NULL;
    }
    long fd = PyLong_AsLong(args[0]);
    double seconds = args[1] == Py_None ? -1.0 : PyFloat_AsDouble(args[1]);
    if (PyErr_Occurred())
        return NULL;
    PyObject *list = listed_events((int)fd, args[1] != Py_None && !(seconds > 0) ? 0.0 : seconds);
    if (list != NULL || PyErr_Occurred())
        return list;
    /* The handler may raise. Otherwise nothing has happened, and the hub computes anew how long to wait. */
    return PyErr_CheckSignals() < 0 ? NULL : PyList_New(0);
}

static PyMethodDef functions[] = {
    {"wait_epoll", (PyCFunction)(void (*)(void))wait_epoll, METH_FASTCALL,
     "wait_epoll(fd, timeout): see greening._core.poller.EpollPoller.wait."},
    {NULL, NULL, 0, NULL},
};

int
add_gil(PyObject *module)
{
    learn_usual();
    return PyModule_AddFunctions(module, functions);
}

#else

int
add_gil(PyObject *Py_UNUSED(module))
{
    return 0;
}

#endif
