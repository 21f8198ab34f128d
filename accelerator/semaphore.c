/* Semaphores when no task has to wait. To wait is left to Python (greening/sync/semaphore.py). */
#include "accelerator.h"

typedef struct {
    PyObject_HEAD
    Py_ssize_t counter;
    PyObject *waiters; /* a lot */
    PyObject *weakrefs;
} Semaphore;

static PyObject *
semaphore_acquire(Semaphore *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"blocking", "timeout", NULL};
    PyObject *blocking = Py_True, *timeout = Py_None;
    if ((kwargs != NULL || PyTuple_Size(args) > 0) &&
        !PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:acquire", names, &blocking, &timeout))
        return NULL;
    if (fairness_tick() < 0)
        return NULL;
    if (timeout == Py_None && self->counter > 0) {
        self->counter--;
        Py_RETURN_TRUE;
    }
    return PyObject_CallMethodObjArgs((PyObject *)self, N__acquire, blocking, timeout, NULL);
}

static PyObject *
semaphore_enter(Semaphore *self, PyObject *Py_UNUSED(unused))
{
    if (fairness_tick() < 0)
        return NULL;
    if (self->counter > 0) {
        self->counter--;
        Py_RETURN_NONE;
    }
    PyObject *taken = PyObject_CallMethodObjArgs((PyObject *)self, N__acquire, Py_True, Py_None, NULL);
    if (taken == NULL)
        return NULL;
    Py_DECREF(taken);
    Py_RETURN_NONE;
}

static PyObject *
semaphore_release(Semaphore *self, PyObject *Py_UNUSED(unused))
{
    int unparked = IS(self->waiters, LotType) ? lot_unpark((Lot *)self->waiters, Py_None) : 0;
    if (unparked < 0)
        return NULL;
    if (unparked == 0)
        self->counter++;
    Py_RETURN_TRUE;
}

static PyObject *
semaphore_exit(Semaphore *self, PyObject *Py_UNUSED(args))
{
    PyObject *given = semaphore_release(self, NULL);
    if (given == NULL)
        return NULL;
    Py_DECREF(given);
    Py_RETURN_NONE;
}

static int
semaphore_traverse(Semaphore *self, visitproc visit, void *arg)
{
    Py_VISIT(TYPE(self));
    Py_VISIT(self->waiters);
    return 0;
}

static int
semaphore_clear(Semaphore *self)
{
    Py_CLEAR(self->waiters);
    return 0;
}

DEFINE_DEALLOC_WEAK(semaphore_dealloc, Semaphore, semaphore_clear, weakrefs)

static PyMethodDef methods[] = {
    {"acquire", (PyCFunction)(void (*)(void))semaphore_acquire, METH_VARARGS | METH_KEYWORDS, DOC_SemaphoreOps_acquire},
    {"release", (PyCFunction)semaphore_release, METH_NOARGS, DOC_SemaphoreOps_release},
    {"__enter__", (PyCFunction)semaphore_enter, METH_NOARGS, DOC_SemaphoreOps___enter__},
    {"__exit__", (PyCFunction)semaphore_exit, METH_VARARGS, DOC_SemaphoreOps___exit__},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"counter", T_PYSSIZET, offsetof(Semaphore, counter), 0, "Permits left."},
    {"_waiters", T_OBJECT_EX, offsetof(Semaphore, waiters), 0, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Semaphore, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, DOC_SemaphoreOps},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_traverse, semaphore_traverse},
    {Py_tp_clear, semaphore_clear},
    {Py_tp_dealloc, semaphore_dealloc},
    {0, NULL},
};

static PyType_Spec spec = BASE_CLASS(SemaphoreOps, Semaphore, slots);

int
add_semaphores(PyObject *module)
{
    return make_type(module, &spec, NULL) == NULL ? -1 : 0;
}
