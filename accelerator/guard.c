/* Guard: the engine's process-wide lock (greening/_core/lot.py), an RLock that costs two stores when nobody else has it.

   Under the GIL looking at the count and setting it is one step. Whoever finds another OS thread inside waits at the
   gate, without the GIL; who leaves opens the gate once if anybody waits. */
#include "accelerator.h"
#include <pythread.h>

typedef struct {
    PyObject_HEAD
    unsigned long owner;
    Py_ssize_t count, waiting;
    PyThread_type_lock gate; /* closed, but for a moment */
} Guard;

/* The engine's one. */
static Guard *the_guard;

int
guard_is_free(void)
{
    return the_guard != NULL && (the_guard->count == 0 || the_guard->owner == PyThread_get_thread_ident());
}

static int
make_gate(Guard *self)
{
    self->owner = 0;
    self->count = self->waiting = 0;
    self->gate = PyThread_allocate_lock();
    if (self->gate == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyThread_acquire_lock(self->gate, NOWAIT_LOCK);
    return 0;
}

static int
init(Guard *self, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    if (the_guard == NULL)
        the_guard = self;
    return self->gate != NULL ? 0 : make_gate(self);
}

static PyObject *
enter(Guard *self, PyObject *Py_UNUSED(unused))
{
    unsigned long me = PyThread_get_thread_ident();
    if (self->gate == NULL && make_gate(self) < 0) /* made without __init__ */
        return NULL;
    while (self->count != 0 && self->owner != me) {
        self->waiting++;
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(self->gate, WAIT_LOCK);
        Py_END_ALLOW_THREADS
        self->waiting--;
    }
    self->owner = me;
    self->count++;
    Py_RETURN_TRUE;
}

static PyObject *
leave(Guard *self, PyObject *Py_UNUSED(args))
{
    if (self->count == 0 || self->owner != PyThread_get_thread_ident()) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    if (--self->count == 0 && self->waiting > 0) {
        /* Open it once. It may be open already, for somebody who has not got the GIL yet. */
        PyThread_acquire_lock(self->gate, NOWAIT_LOCK);
        PyThread_release_lock(self->gate);
    }
    Py_RETURN_NONE;
}

static PyObject *
is_owned(Guard *self, PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(self->count != 0 && self->owner == PyThread_get_thread_ident());
}

/* In the child of a fork: the threads that had it, or waited, are not here. The old gate may be in any state. */
static PyObject *
at_fork(Guard *self, PyObject *Py_UNUSED(unused))
{
    if (make_gate(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static void
dealloc(Guard *self)
{
    PyTypeObject *type = TYPE(self);
    if (the_guard == self)
        the_guard = NULL;
    if (self->gate != NULL) {
        PyThread_release_lock(self->gate);
        PyThread_free_lock(self->gate);
    }
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"__enter__", (PyCFunction)enter, METH_NOARGS, "Take it, once more if this OS thread has it."},
    {"__exit__", (PyCFunction)leave, METH_VARARGS, "Undo one taking."},
    {"_is_owned", (PyCFunction)is_owned, METH_NOARGS, "Whether this OS thread has it."},
    {"_at_fork_reinit", (PyCFunction)at_fork, METH_NOARGS, "In the child of a fork: nobody has it."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A re-entrant lock between OS threads."},
    {Py_tp_init, init},
    {Py_tp_methods, methods},
    {Py_tp_dealloc, dealloc},
    {0, NULL},
};

static PyType_Spec spec = {"greening._accelerator.Guard", sizeof(Guard), 0, Py_TPFLAGS_DEFAULT, slots};

int
add_guards(PyObject *module)
{
    return make_type(module, &spec, NULL) == NULL ? -1 : 0;
}
