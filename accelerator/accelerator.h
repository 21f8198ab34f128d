/* What the files of the accelerator share.

   Laws:
   - The limited API only (one library for every CPython from 3.11 on). greenlet is reached through its capsule, whose
     functions need nothing of the full API.
   - Every function here is the double of a Python one, which is the reference, and does the frequent case only:
     whatever is unusual is handed to the Python one, so that rules and errors stand in one place.
   - The GIL is what makes a step atomic. It is kept during system calls that cannot wait (MSG_DONTWAIT): they take less
     than handing it over and getting it back, and a busy thread would keep it for five milliseconds.
   - Nothing big on the C stack: greenlet copies the stack of whoever is suspended.
*/
#ifndef GREENING_ACCELERATOR_H
#define GREENING_ACCELERATOR_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* Headers from 3.12 on return these without counting, which 3.11, where they are not immortal, does not survive. */
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
    PyObject *weakrefs;
} Task;

typedef struct {
    Task task;
    PyObject *func, *args, *kwargs, *result, *failure, *after, *start_timer, *quiet;
} Thread;

typedef struct {
    PyObject_HEAD
    PyObject **items; /* a ring; its capacity is a power of two */
    Py_ssize_t first, length, capacity;
} Ring;

typedef struct {
    PyObject_HEAD
    PyObject *ready, *idle, *carriers, *regs, *now, *enter, *post, *main, *task;
    Py_ssize_t turns, carrier_refs;
    unsigned long awake;
    PyObject *dict, *weakrefs;
} Hub;

typedef struct {
    PyObject_HEAD
    PyObject *owner, *readers, *writers;
    int fd;
    char drained, edge, stream;
} Registration;

extern PyTypeObject *TaskType, *ThreadType, *RingType, *HubType, *RegistrationType;

/* The states of a task: small integers, which CPython keeps one of each. */
extern PyObject *RUNNING, *PARKED, *READY, *DEAD;
extern PyObject *ZERO;       /* 0 */
extern PyObject *EMPTY;      /* "" */
extern PyObject *SWITCHED;   /* what a switch without arguments returns: the empty tuple */
extern PyObject *TIMED_OUT;  /* what a park returns when its deadline came first; told by Python */

#define SET(field, new)                \
    do {                               \
        PyObject *old_ = (field);      \
        (field) = Py_NewRef(new);      \
        Py_XDECREF(old_);              \
    } while (0)

#define TYPE(object) Py_TYPE((PyObject *)(object))
/* NULL is of no type: a member may be, of what the garbage collector has cleared or a user's class has not filled. */
#define IS(object, type) ((object) != NULL && PyObject_TypeCheck((PyObject *)(object), type))

/* What a member is when it holds nothing, or was deleted. */
#define IS_NONE(member) ((member) == NULL || (member) == Py_None)

/* Interned names of attributes and methods. */
#define NAMES(X)                                                                                    \
    X(_greening_task) X(gr_context) X(unparked) X(refuse) X(_alarm) X(_settle) X(busy) X(save)      \
    X(restore) X(timers) X(add) X(cancel) X(when) X(leave) X(resume) X(_call_link) X(_keep_failure) \
    X(_leave) X(_acquire) X(_give_back) X(_share) X(_hand_over) X(_release) X(release) X(locked)    \
    X(_wait) X(_real) X(execute) X(_failure) X(hub) X(park)
#define DECLARE(name) extern PyObject *N_##name;
NAMES(DECLARE)
#undef DECLARE

/* module.c */
PyObject *running_greenlet(void);          /* new reference */
PyObject *told(PyObject *function);        /* borrowed; NULL with an error: Python has not told us this function */
PyObject *missing(const char *member);     /* NULL, with an AttributeError: it was deleted */
PyObject *resume_greenlet(PyObject *resume);
int is_greenlet_class(PyTypeObject *type);
PyObject *learn_carrier(PyObject *module, PyObject *carrier);
Task *running_task(void);                  /* new reference; NULL without an error: the engine does not know it */

/* ring.c */
int ring_append(Ring *ring, PyObject *item);
PyObject *ring_popleft(Ring *ring);        /* new reference; NULL without an error: it is empty */
PyObject *ring_first(Ring *ring);          /* borrowed; NULL: it is empty */
int ring_appendleft(Ring *ring, PyObject *item);

/* task.c */
PyObject *task_park(Task *task, PyObject *deadline);
PyObject *task_park_running(Task *task, PyObject *deadline);
int task_wake(Task *task, PyObject *value);   /* 1: woken, 0: not, -1: error */
PyObject *hub_switch(Hub *hub);

PyObject *task_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
int task_traverse(Task *self, visitproc visit, void *arg);
int task_clear(Task *self);

/* guard.c */
int guard_is_free(void);                   /* no other OS thread is inside, as long as the caller keeps the GIL */

/* thread.c */
extern PyTypeObject *thread_class;         /* GreenThread; told by Python */
PyObject *thread_execute(PyObject *thread, PyObject *unused);

int add_tasks(PyObject *module);
int add_threads(PyObject *module);
int add_carriers(PyObject *module);
int add_ring(PyObject *module);
int add_hubs(PyObject *module);
int add_sockets(PyObject *module);
int add_guards(PyObject *module);
int add_locks(PyObject *module);
int add_semaphores(PyObject *module);
int add_locals(PyObject *module);
int add_zeros(PyObject *module);

PyTypeObject *make_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base);

#endif
