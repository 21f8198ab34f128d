/* Fairness (greening/_core/fairness.py): one budget of time and tries for all calls that may wait.

   Time is counted in ticks of the processor's counter. To read it takes 8 ns, to read the system's clock 25, to take
   a lock 250. Where there is no such counter a tick is a nanosecond. */
#include "accelerator.h"

/* Slices after which a slice is over, whatever CPU time it used: a call may have blocked. */
enum { LONG_AGO = 50 };

/* Slices of time without the processor, in all, after which others run in any case: calls that block use no CPU. */
enum { UNUSED = 10 };

/* Ticks: before this no check is needed whether a slice is over. If it is another OS thread's, that costs one look at
   the hub's own. */
static unsigned long long until;
unsigned long long round_ticks, slice_ticks;

static double ticks_per_nanosecond = 2.5;

static double round_seconds = 0.001, slice_seconds = 0.001;
static long tries, all_tries = 1024;
static PyObject *let_others_run; /* set by Python */

unsigned long long
nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec;
}

unsigned long long
ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    unsigned long long now;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
    return now;
#else
    return nanoseconds(CLOCK_MONOTONIC);
#endif
}

/* Set how many ticks a second has: a guess at first, measured after 5 ms. Called once a round. */
void
calibrate(void)
{
    static enum { NOT_BEGUN, BEGUN, DONE } state;
    static unsigned long long first_ticks, first_nanoseconds;
    if (state == DONE)
        return;
    unsigned long long now = nanoseconds(CLOCK_MONOTONIC);
    double a_second;
    if (state == NOT_BEGUN) {
        first_ticks = ticks();
        first_nanoseconds = now;
        state = BEGUN;
#if defined(__aarch64__)
        __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(now));
        a_second = (double)now;
        state = DONE;
#elif defined(__x86_64__)
        a_second = 2.5e9;
#else
        a_second = 1e9;
        state = DONE;
#endif
    } else if (now - first_nanoseconds > 5000000ULL) {
        a_second = (double)(ticks() - first_ticks) * 1e9 / (double)(now - first_nanoseconds);
        state = DONE;
    } else
        return;
    ticks_per_nanosecond = a_second / 1e9;
    round_ticks = (unsigned long long)(a_second * round_seconds);
    slice_ticks = (unsigned long long)(a_second * slice_seconds);
}

double
seconds_since(unsigned long long then)
{
    return (double)(ticks() - then) / ticks_per_nanosecond / 1e9;
}

static void
look_up(Hub *hub, unsigned long long now)
{
    hub->looked_up = now;
    hub->used_then = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
}

/* A round begins at `now`: read the CPU time, at most once a millisecond. That takes 200 ns. */
void
note_processor_time(Hub *hub, unsigned long long now)
{
    if (now - hub->looked_up > round_ticks)
        look_up(hub, now);
}

/* The running task begins a new slice at `now`. */
void
start_slice(Hub *hub, unsigned long long now)
{
    hub->slice_end = hub->timed ? now + slice_ticks : ~0ULL; /* with a test's own clock it is never over */
}

/* Whether the slice is over and this OS thread used it, rather than waited for the processor of a busy machine. */
static int
is_used_up(Hub *hub, unsigned long long now)
{
    if (now < hub->slice_end)
        return 0;
    unsigned long long elapsed = now - (hub->slice_end - slice_ticks), since = now - hub->looked_up, used;
    if (hub->slice_end < slice_ticks || elapsed > LONG_AGO * slice_ticks)
        return 1;
    used = (unsigned long long)((double)(nanoseconds(CLOCK_THREAD_CPUTIME_ID) - hub->used_then) * ticks_per_nanosecond);
    unsigned long long lost = since > used ? since - used : 0;
    hub->unused += lost;
    if (elapsed >= lost + slice_ticks * 9 / 10 || hub->unused > UNUSED * slice_ticks) {
        hub->unused = 0;
        return 1;
    }
    look_up(hub, now);
    hub->slice_end = now + (elapsed > lost ? slice_ticks - (elapsed - lost) : slice_ticks);
    return 0;
}

/* `until` has passed: whether the slice of the running task goes on. If so, set `until` to its end. */
static int
goes_on(unsigned long long now)
{
    Task *task = running_task();
    Hub *hub = task != NULL && IS(task->hub, HubType) ? (Hub *)task->hub : NULL;
    Py_XDECREF((PyObject *)task); /* it runs, so it and its hub live */
    if (hub == NULL || is_used_up(hub, now))
        return 0;
    until = hub->slice_end < now + slice_ticks ? hub->slice_end : now + slice_ticks;
    return 1;
}

int
fairness_tick(void)
{
    if (--tries > 0) {
        unsigned long long now = ticks();
        if (now < until || goes_on(now))
            return 0;
    } else
        tries = all_tries;
    if (let_others_run == NULL)
        return 0;
    PyObject *done = PyObject_CallNoArgs(let_others_run);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static PyObject *
fairness_tick_(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    if (fairness_tick() < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
begin_slice(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    calibrate(); /* this OS thread may have no hub */
    until = ticks() + slice_ticks;
    tries = all_tries;
    Py_RETURN_NONE;
}

static PyObject *
tell_let_others_run(PyObject *Py_UNUSED(module), PyObject *function)
{
    SET(let_others_run, function);
    Py_RETURN_NONE;
}

static PyObject *
set_round(PyObject *Py_UNUSED(module), PyObject *args)
{
    double a_round, a_slice;
    long number;
    if (!PyArg_ParseTuple(args, "ddl", &a_round, &a_slice, &number))
        return NULL;
    round_seconds = a_round;
    slice_seconds = a_slice;
    tries = all_tries = number;
    calibrate();
    Py_RETURN_NONE;
}

static PyObject *
set_slice(PyObject *Py_UNUSED(module), PyObject *args)
{
    int timed;
    if (!PyArg_ParseTuple(args, "lp", &tries, &timed))
        return NULL;
    until = timed ? 0 : ~0ULL;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"fairness_tick", fairness_tick_, METH_NOARGS, DOC_fairness_tick},
    {"begin_slice", begin_slice, METH_NOARGS, DOC_begin_slice},
    {"tell_let_others_run", tell_let_others_run, METH_O, "tell_let_others_run(function): what lets the others run."},
    {"set_round", set_round, METH_VARARGS, "set_round(seconds of a round, seconds of a slice, tries)."},
    {"set_slice", set_slice, METH_VARARGS, "set_slice(tries, over): what is left of the running slice. For tests."},
    {NULL, NULL, 0, NULL},
};

int
add_fairness(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
