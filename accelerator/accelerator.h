/* What the files of the accelerator share.

   Laws:
   - The limited API only (one library for every CPython from 3.11 on). greenlet is reached through its capsule, whose
     functions need nothing of the full API.
   - Every function here is the double of a Python one, its twin, which is the reference. It does the frequent case and
     leaves everything else to its twin, so that rules and errors are written once.
   - The GIL makes a step atomic. It is kept during system calls that cannot wait (MSG_DONTWAIT): they take less than
     handing it over and getting it back, and a busy thread would keep it for five milliseconds.
   - Nothing big is on the C stack: greenlet copies the stack of a suspended greenlet.
*/
#ifndef GREENING_ACCELERATOR_H
#define GREENING_ACCELERATOR_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <time.h>

#include "docs.h"

/* Headers from 3.12 on return these without counting a reference. In 3.11 they are not immortal, and would be freed. */
#undef Py_RETURN_NONE
#undef Py_RETURN_TRUE
#undef Py_RETURN_FALSE
#define Py_RETURN_NONE return Py_NewRef(Py_None)
#define Py_RETURN_TRUE return Py_NewRef(Py_True)
#define Py_RETURN_FALSE return Py_NewRef(Py_False)

/* Members that Python sees are objects, never NULL once made: CPython reads those fastest. */
typedef struct {
    PyObject_HEAD
    PyObject *hub, *resume, *state, *value, *error, *deadline, *timer, *generation;
    PyObject *context, *thread_object, *ident, *locals, *name;
    unsigned long long serial; /* from 1 on, in the order in which tasks are made */
    PyObject *weakrefs;
} Task;

typedef struct {
    Task task;
    PyObject *func, *args, *kwargs, *result, *failure, *waiters, *links, *start_timer, *quiet;
    unsigned long long born; /* in ticks */
} Thread;

/* A queue of parked tasks. */
typedef struct {
    PyObject_HEAD
    PyObject **tasks;
    PyObject *one; /* room for the first: most lots never have more */
    Py_ssize_t size, capacity;
} Lot;

typedef struct {
    PyObject_HEAD
    PyObject **items; /* circular; the capacity is a power of two */
    Py_ssize_t first, length, capacity;
} Ring;

typedef struct {
    PyObject_HEAD
    PyObject *ready, *idle, *runners, *regs, *now, *enter, *post, *main, *task;
    Py_ssize_t switches_left, runner_refs;
    unsigned long awake_ident;
    unsigned long long round_end;      /* in ticks */
    unsigned long long slice_end;      /* of the running task; in ticks */
    unsigned long long looked_up, used_then, unused; /* the CPU time of the OS thread: see fairness.c */
    char timed, resting;
    PyObject *dict, *weakrefs;
    /* Last, so that what every switch needs lies together. */
    Py_ssize_t granted;                  /* what switches_left was when the round began */
    unsigned long long switches, rounds; /* before this round; rounds so far */
} Hub;

typedef struct {
    PyObject_HEAD
    PyObject *owner, *readers, *writers;
    int fd;
    char drained, recheck_due, edge, stream, read_news, write_news;
} Registration;

extern PyTypeObject *TaskType, *ThreadType, *RingType, *HubType, *RegistrationType, *LotType;
/* The subclass of each that IS has found last: to find out that it is one takes as long as all the rest of a call. */
extern PyTypeObject *TaskType_seen, *HubType_seen, *RegistrationType_seen, *LotType_seen;

/* The states of a task: small integers, of which CPython has one object each. */
extern PyObject *RUNNING, *PARKED, *READY, *DEAD;
extern PyObject *ZERO;       /* 0 */
extern PyObject *EMPTY;      /* "" */
extern PyObject *SWITCHED;   /* what a switch without arguments returns: the empty tuple */
extern PyObject *TIMED_OUT;  /* what a park returns when its deadline came first; set by Python */

#define SET(field, new)                \
    do {                               \
        PyObject *old_ = (field);      \
        (field) = Py_NewRef(new);      \
        Py_XDECREF(old_);              \
    } while (0)

/* `dealloc` of an object whose members `clear` frees. With a list of weak references, or without. */
#define DEFINE_DEALLOC_WITH(name, Object, clear, before)                  \
    static void name(Object *self)                                        \
    {                                                                     \
        PyTypeObject *type = TYPE(self);                                  \
        PyObject_GC_UnTrack(self);                                        \
        before;                                                           \
        clear(self);                                                      \
        ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);               \
        Py_DECREF(type);                                                  \
    }
#define DEFINE_DEALLOC(name, Object, clear) DEFINE_DEALLOC_WITH(name, Object, clear, (void)0)
#define DEFINE_DEALLOC_WEAK(name, Object, clear, weakrefs) \
    DEFINE_DEALLOC_WITH(name, Object, clear, if (self->weakrefs != NULL) PyObject_ClearWeakRefs((PyObject *)self))

/* The spec of a class that a Python class is derived from, under the name of its Python twin. */
#define BASE_CLASS(Class, Object, slots) \
    {NAME_##Class, sizeof(Object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots}

#define FAST(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL

#define TYPE(object) Py_TYPE((PyObject *)(object))
/* NULL is of no type. A member is NULL when the garbage collector has cleared it or a user's class has not set it. */
#define IS(object, type) \
    ((object) != NULL && (TYPE(object) == type##_seen || is_of((PyObject *)(object), type, &type##_seen)))

/* What a member is when it holds nothing, or was deleted. */
#define IS_NONE(member) ((member) == NULL || (member) == Py_None)

/* Interned names of attributes and methods. */
#define NAMES(X)                                                                                    \
    X(_greening_task) X(gr_context) X(cancel_park) X(_alarm) X(_settle)                             \
    X(timers) X(add) X(cancel) X(when) X(resume) X(_call_link) X(_check_coroutine) X(_keep_failure) \
    X(_acquire) X(_hand_over) X(release) X(locked) X(_real)                                         \
    X(execute) X(failure) X(func) X(hub) X(name) X(park) X(regs)
#define DECLARE(name) extern PyObject *N_##name;
NAMES(DECLARE)
#undef DECLARE

/* module.c */
/* A Python function or method to which a double leaves its rare cases. Keep it static: it is looked up once. */
typedef struct {
    PyObject *function;
    unsigned told; /* `tellings` when it was looked up */
} Twin;
PyObject *twin_of(Twin *twin, const char *owner, const char *name); /* borrowed; NULL with an error. owner: a class, or NULL */
int is_of(PyObject *object, PyTypeObject *type, PyTypeObject **seen); /* see IS */
PyObject *running_greenlet(void);          /* new reference */
int is_greenlet(PyObject *object);
PyObject *told(PyObject *function);        /* borrowed; NULL with an error: Python has not set this function */
PyObject *missing(const char *member);     /* NULL, with an AttributeError: it was deleted */
PyObject *resume_greenlet(PyObject *resume);
int is_greenlet_class(PyTypeObject *type);
PyObject *learn_runner(PyObject *module, PyObject *runner);
Task *running_task(void);                  /* new reference; NULL without an error: the greenlet has no task */

/* ring.c */
int ring_append(Ring *ring, PyObject *item);
PyObject *ring_popleft(Ring *ring);        /* new reference; NULL without an error: it is empty */
PyObject *ring_first(Ring *ring);          /* borrowed; NULL: it is empty */

/* task.c */
/* The serial number of the task that runs in this OS thread; 0: it has had none. A lock keeps that of its holder. */
extern _Thread_local unsigned long long running_serial;
PyObject *task_park_running(Task *task, PyObject *deadline);
int task_make_ready(Task *task);                  /* have a task that is READY run when its turn comes; -1: error */
PyObject *hub_switch(Hub *hub);

PyObject *task_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
int task_traverse(Task *self, visitproc visit, void *arg);
int task_clear(Task *self);

/* lot.c: under the GIL each is atomic for all OS threads. -1: error. */
Lot *lot_new(void);
int lot_append(Lot *lot, PyObject *task);
int lot_leave(Lot *lot, PyObject *task);   /* 1: it was in the lot */
Task *lot_choose(Lot *lot, PyObject *value);  /* new reference; NULL without an error: none waits */
int lot_unpark(Lot *lot, PyObject *value);    /* 1: a task was resumed, 0: none waits */
int lot_unpark_all(Lot *lot, PyObject *value);

/* registration.c */
int registration_enter_unless_news(Registration *reg, Task *task, long mask);

/* guard.c */
void pause_gc(void);
void resume_gc(void);
Py_ssize_t guard_give_away(void);          /* how often the calling OS thread had it */
void guard_take_back(Py_ssize_t depth);

/* journal.c */
/* Kinds of entries: see greening/_core/journal.py. */
enum { NOTE_RUN, NOTE_BEGIN, NOTE_END, NOTE_YIELD, NOTE_WAIT, NOTE_WAIT_FD, NOTE_WAIT_END, NOTE_READY, NOTE_POST, NOTE_ROUND };
extern int journal_is_on __attribute__((visibility("hidden"))); /* so that one instruction compares it */
#define journal_on __builtin_expect(journal_is_on, 0) /* ask it before each of these */
void journal_note(int kind, unsigned long long subject, unsigned long long other, unsigned long long extra, PyObject *label);
void journal_note_round(Hub *hub);
int journal_note_park(Task *task, int yields);
void journal_note_run(Task *task, int timed_out);
PyObject *journal_name(Task *task);
int journal_note_begin(Task *task);
void journal_note_end(Task *task, PyObject *name); /* NULL: unknown */

/* fairness.c */
extern unsigned long long round_ticks, slice_ticks;
unsigned long long ticks(void);
unsigned long long nanoseconds(clockid_t clock);
double seconds_since(unsigned long long then);     /* in ticks */
int fairness_tick(void);                           /* before a call that may wait is tried. -1: error */
void start_slice(Hub *hub, unsigned long long now);
void calibrate(void);
void note_processor_time(Hub *hub, unsigned long long now);

/* thread.c */
extern PyTypeObject *thread_class;         /* GreenThread; set by Python */
PyObject *thread_execute(PyObject *thread, PyObject *unused);

int add_tasks(PyObject *module);
int add_threads(PyObject *module);
int add_runners(PyObject *module);
int add_ring(PyObject *module);
int add_hubs(PyObject *module);
int add_registrations(PyObject *module);
int add_sockets(PyObject *module);
int add_guards(PyObject *module);
int add_locks(PyObject *module);
int add_semaphores(PyObject *module);
int add_lots(PyObject *module);
int add_fairness(PyObject *module);
int add_locals(PyObject *module);
int add_gil(PyObject *module);
int add_mask(PyObject *module);
int add_journal(PyObject *module);
int add_zeros(PyObject *module);
int add_files(PyObject *module);

PyTypeObject *make_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base);

#endif
