/* Guard: critical steps (greening/_core/critical.py): an RLock that costs two stores when no other OS thread has it, and
   a garbage collector that rests.

   Under the GIL it is atomic to check the count and set it. An OS thread that finds another one inside waits for the
   gate, without the GIL. A thread that leaves opens the gate once if any thread waits. */
#include "accelerator.h"
#include <pythread.h>

typedef struct {
    PyObject_HEAD
    unsigned long owner;
    Py_ssize_t count, waiting;
    PyThread_type_lock gate; /* closed, except for moments */
} Guard;

/* The engine's only guard. */
static Guard *the_guard;

/* How many critical steps and hubs let the collector rest, and whether the last one switches it on again. */
static Py_ssize_t resting;
static int was_enabled;

void
pause_gc(void)
{
    resting++;
    if (PyGC_Disable())
        was_enabled = 1;
}

void
resume_gc(void)
{
    if (--resting == 0 && was_enabled) {
        was_enabled = 0;
        PyGC_Enable();
    }
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

static void
take(Guard *self)
{
    unsigned long me = PyThread_get_thread_ident();
    while (self->count != 0 && self->owner != me) {
        self->waiting++;
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(self->gate, WAIT_LOCK);
        Py_END_ALLOW_THREADS
        self->waiting--;
    }
    self->owner = me;
    if (self->count++ == 0)
        pause_gc();
}

static PyObject *
enter(Guard *self, PyObject *Py_UNUSED(unused))
{
    if (self->gate == NULL && make_gate(self) < 0) /* made without __init__ */
        return NULL;
    take(self);
    Py_RETURN_NONE;
}

static void
let_go(Guard *self)
{
    if (--self->count > 0)
        return;
    resume_gc();
    if (self->waiting > 0) {
        /* Open it once. It may be open already, for an OS thread that does not have the GIL yet. */
        PyThread_acquire_lock(self->gate, NOWAIT_LOCK);
        PyThread_release_lock(self->gate);
    }
}

static int
owned(Guard *self)
{
    return self->count != 0 && self->owner == PyThread_get_thread_ident();
}

Py_ssize_t
guard_give_away(void)
{
    if (the_guard == NULL || the_guard->count == 0 || !owned(the_guard))
        return 0;
    Py_ssize_t depth = the_guard->count;
    while (the_guard->count > 0)
        let_go(the_guard);
    return depth;
}

void
guard_take_back(Py_ssize_t depth)
{
    while (depth-- > 0)
        take(the_guard);
}

static PyObject *
leave(Guard *self, PyObject *Py_UNUSED(args))
{
    if (!owned(self)) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    let_go(self);
    Py_RETURN_NONE;
}

static PyObject *
is_owned(Guard *self, PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(owned(self));
}

static PyObject *
give_away(Guard *Py_UNUSED(self), PyObject *Py_UNUSED(unused))
{
    return PyLong_FromSsize_t(guard_give_away());
}

static PyObject *
take_back(Guard *Py_UNUSED(self), PyObject *depth)
{
    Py_ssize_t count = PyLong_AsSsize_t(depth);
    if (count == -1 && PyErr_Occurred())
        return NULL;
    guard_take_back(count);
    Py_RETURN_NONE;
}

/* In the child of a fork: the OS threads that held it, or waited, are not here. The old gate may be in any state. */
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
    {"__enter__", (PyCFunction)enter, METH_NOARGS, DOC_Guard___enter__},
    {"__exit__", (PyCFunction)leave, METH_VARARGS, DOC_Guard___exit__},
    {"is_owned", (PyCFunction)is_owned, METH_NOARGS, DOC_Guard_is_owned},
    {"give_away", (PyCFunction)give_away, METH_NOARGS, DOC_Guard_give_away},
    {"take_back", (PyCFunction)take_back, METH_O, DOC_Guard_take_back},
    {"after_fork", (PyCFunction)at_fork, METH_NOARGS, DOC_Guard_after_fork},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"depth", T_PYSSIZET, offsetof(Guard, count), READONLY, "How often it is held."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, DOC_Guard},
    {Py_tp_init, init},
    {Py_tp_methods, methods},
    {Py_tp_dealloc, dealloc},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec spec = {NAME_Guard, sizeof(Guard), 0, Py_TPFLAGS_DEFAULT, slots};

static PyObject *
rest(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    pause_gc();
    Py_RETURN_NONE;
}

static PyObject *
wake(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    resume_gc();
    Py_RETURN_NONE;
}

static PyObject *
wake_in_child(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    resting = 1;
    resume_gc();
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"pause_gc", rest, METH_NOARGS, DOC_pause_gc},
    {"resume_gc", wake, METH_NOARGS, DOC_resume_gc},
    {"resume_gc_for_good", wake_in_child, METH_NOARGS, DOC_resume_gc_for_good},
    {NULL, NULL, 0, NULL},
};

int
add_guards(PyObject *module)
{
    return make_type(module, &spec, NULL) == NULL ? -1 : PyModule_AddFunctions(module, functions);
}
