/* `local` (greening/sync/local.py): access to an attribute that the running thread has already. */
#include "accelerator.h"

typedef struct {
    PyObject_HEAD
    PyObject *attributes; /* of all threads: ident -> {name: value} */
    PyObject *weakrefs;
} Local;

/* For what is missing: the twins. */
static Twin slow_get, slow_set, slow_delete;

static PyTypeObject *LocalType;

/* The running thread's attributes, a new reference; NULL without an error: there are none yet. */
static PyObject *
mine(Local *self)
{
    static PyTypeObject *attributes_seen; /* see IS */
    if (self->attributes == NULL || (Py_TYPE(self->attributes) != attributes_seen &&
                                     !is_of(self->attributes, &PyDict_Type, &attributes_seen)))
        return NULL;
    Task *task = running_task();
    if (task == NULL)
        return NULL;
    PyObject *found = NULL;
    if (task->ident != NULL && task->ident != ZERO)
        found = PyDict_GetItemWithError(self->attributes, task->ident);
    Py_DECREF((PyObject *)task); /* it runs, so it lives */
    if (found == NULL)
        PyErr_Clear();
    return found != NULL && PyDict_CheckExact(found) ? Py_NewRef(found) : NULL;
}

static PyObject *
get(PyObject *self, PyObject *name)
{
    PyObject *here = mine((Local *)self);
    if (here != NULL) {
        PyObject *value = PyDict_GetItemWithError(here, name);
        Py_XINCREF(value);
        Py_DECREF(here);
        if (value != NULL)
            return value;
        PyErr_Clear();
    }
    if (twin_of(&slow_get, "LocalOps", "__getattribute__") == NULL)
        return NULL;
    return PyObject_CallFunctionObjArgs(slow_get.function, self, name, NULL);
}

static int
set(PyObject *self, PyObject *name, PyObject *value)
{
    PyObject *done;
    if (value == NULL) {
        if (twin_of(&slow_delete, "LocalOps", "__delattr__") == NULL)
            return -1;
        done = PyObject_CallFunctionObjArgs(slow_delete.function, self, name, NULL);
    } else {
        PyObject *here = mine((Local *)self);
        if (here != NULL) {
            int is_there = PyDict_Contains(here, name); /* `__dict__` is never there */
            int result = is_there > 0 ? PyDict_SetItem(here, name, value) : 0;
            Py_DECREF(here);
            if (is_there > 0)
                return result;
            PyErr_Clear();
        }
        if (twin_of(&slow_set, "LocalOps", "__setattr__") == NULL)
            return -1;
        done = PyObject_CallFunctionObjArgs(slow_set.function, self, name, value, NULL);
    }
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int
traverse(Local *self, visitproc visit, void *arg)
{
    Py_VISIT(TYPE(self));
    Py_VISIT(self->attributes);
    return 0;
}

static int
clear(Local *self)
{
    Py_CLEAR(self->attributes);
    return 0;
}

DEFINE_DEALLOC_WEAK(dealloc, Local, clear, weakrefs)

static PyMemberDef members[] = {
    {"_local_attributes", T_OBJECT_EX, offsetof(Local, attributes), 0, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Local, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, DOC_LocalOps},
    {Py_tp_members, members},
    {Py_tp_getattro, get},
    {Py_tp_setattro, set},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_dealloc, dealloc},
    {0, NULL},
};

static PyType_Spec spec = BASE_CLASS(LocalOps, Local, slots);

/* `object.__setattr__` and `__delattr__` refuse an object whose type has its own in C. */
static PyObject *
generic_set(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *self, *name, *value = NULL;
    if (!PyArg_ParseTuple(args, "O!O|O", LocalType, &self, &name, &value) ||
        PyObject_GenericSetAttr(self, name, value) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"generic_set", generic_set, METH_VARARGS, "generic_set(self, name, value): object.__setattr__. No value: __delattr__."},
    {NULL, NULL, 0, NULL},
};

int
add_locals(PyObject *module)
{
    LocalType = make_type(module, &spec, NULL);
    return LocalType == NULL ? -1 : PyModule_AddFunctions(module, functions);
}
