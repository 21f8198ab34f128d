/* The module: constants, greenlet's functions, types. */
#include "accelerator.h"
#include <greenlet/greenlet.h>

PyObject *RUNNING, *PARKED, *READY, *DEAD, *ZERO, *EMPTY, *SWITCHED, *TIMED_OUT;
#define DEFINE(name) PyObject *N_##name;
NAMES(DEFINE)
#undef DEFINE

PyObject *
running_greenlet(void)
{
    return (PyObject *)PyGreenlet_GetCurrent();
}

PyTypeObject *TaskType_seen, *HubType_seen, *RegistrationType_seen, *LotType_seen;

/* See IS. */
int
is_of(PyObject *object, PyTypeObject *type, PyTypeObject **seen)
{
    if (!PyObject_TypeCheck(object, type))
        return 0;
    PyTypeObject *before = *seen;
    *seen = (PyTypeObject *)Py_NewRef((PyObject *)Py_TYPE(object));
    Py_XDECREF((PyObject *)before);
    return 1;
}

int
is_greenlet(PyObject *object)
{
    return PyObject_TypeCheck(object, &PyGreenlet_Type);
}

int
is_greenlet_class(PyTypeObject *type)
{
    return PyType_IsSubtype(type, &PyGreenlet_Type);
}

PyObject *
told(PyObject *function)
{
    if (function == NULL)
        PyErr_SetString(PyExc_RuntimeError, "the accelerator belongs to the engine, which has not been imported");
    return function;
}

PyObject *
missing(const char *member)
{
    return PyErr_Format(PyExc_AttributeError, "%s was deleted", member);
}

/* Call `resume`, the bound `switch` of a greenlet. Meanwhile this holds the method object, and not its greenlet (see
   runner). It calls greenlet directly: everything on the C stack is copied at every switch, and kept while parked. */
PyObject *
resume_greenlet(PyObject *resume)
{
    PyObject *glet = PyCFunction_Check(resume) ? PyCFunction_GetSelf(resume) : NULL;
    if (glet != NULL && PyObject_TypeCheck(glet, &PyGreenlet_Type))
        return PyGreenlet_Switch((PyGreenlet *)glet, NULL, NULL);
    return PyObject_CallNoArgs(resume);
}

/* Where a runner keeps its task. A slot of a Python class has a fixed place, which learn_runner finds once, in a runner
   whose task is known. For other types the attribute is looked up by name. */
static PyTypeObject *runner_type;
static Py_ssize_t task_offset;

/* learn_runner(runner): find the place, in a runner that has a task. Returns whether it was found. */
PyObject *
learn_runner(PyObject *Py_UNUSED(module), PyObject *runner)
{
    /* A class with a metaclass may give any `__basicsize__`. */
    if (!is_greenlet_class(TYPE(runner)) || TYPE(TYPE(runner)) != &PyType_Type)
        return PyErr_Format(PyExc_TypeError, "a runner is needed, not %R", runner);
    PyObject *task = PyObject_GetAttr(runner, N__greening_task);
    PyObject *size = PyObject_GetAttrString((PyObject *)Py_TYPE(runner), "__basicsize__");
    Py_ssize_t end = size == NULL ? -1 : PyLong_AsSsize_t(size);
    Py_XDECREF(size);
    Py_XDECREF(task); /* the runner has it */
    if (task == NULL || end < 0)
        return NULL;
    for (Py_ssize_t at = sizeof(PyGreenlet); at + (Py_ssize_t)sizeof(PyObject *) <= end; at += sizeof(PyObject *)) {
        if (*(PyObject **)((char *)runner + at) == task) {
            runner_type = (PyTypeObject *)Py_NewRef((PyObject *)Py_TYPE(runner));
            task_offset = at;
            Py_RETURN_TRUE;
        }
    }
    Py_RETURN_FALSE;
}

Task *
running_task(void)
{
    PyObject *glet = running_greenlet();
    if (glet == NULL) {
        PyErr_Clear(); /* there are no greenlets any more: the interpreter is being finalized */
        return NULL;
    }
    PyObject *task = NULL;
    if (Py_TYPE(glet) == runner_type)
        task = *(PyObject **)((char *)glet + task_offset);
    else if (((PyGreenlet *)glet)->dict != NULL)
        task = PyDict_GetItemWithError(((PyGreenlet *)glet)->dict, N__greening_task);
    Py_XINCREF(task);
    if (task == NULL) {
        PyErr_Clear();
        task = PyObject_GetAttr(glet, N__greening_task);
    }
    Py_DECREF(glet);
    if (task == NULL) {
        PyErr_Clear();
        return NULL;
    }
    if (!IS(task, TaskType)) {
        Py_DECREF(task);
        return NULL;
    }
    return (Task *)task;
}

/* What `double` was given: name -> twin. It is given them again when greening is imported again. */
static PyObject *twins;
static unsigned tellings;

PyObject *
twin_of(Twin *twin, const char *owner, const char *name)
{
    if (twin->function != NULL && twin->told == tellings)
        return twin->function;
    PyObject *found = twins == NULL ? NULL : PyDict_GetItemString(twins, owner == NULL ? name : owner);
    if (told(found) == NULL)
        return NULL;
    found = owner == NULL ? Py_NewRef(found) : PyObject_GetAttrString(found, name);
    if (found == NULL)
        return NULL;
    Py_XDECREF(twin->function);
    twin->function = found;
    twin->told = tellings;
    return found;
}

/* double(twin): the class or function of the same name. */
static PyObject *
double_(PyObject *module, PyObject *twin)
{
    PyObject *name = PyObject_GetAttrString(twin, "__name__");
    PyObject *home = name == NULL ? NULL : PyObject_GetAttrString(twin, "__module__");
    PyObject *compiled = home == NULL ? NULL : PyObject_GetAttr(module, name);
    if (compiled != NULL && PyCFunction_Check(compiled) && PyObject_SetAttrString(compiled, "__module__", home) < 0)
        Py_CLEAR(compiled); /* pickle looks it up in `__module__`, where its twin is defined */
    if (compiled != NULL && twins == NULL)
        twins = PyDict_New();
    if (compiled != NULL && (twins == NULL || PyDict_SetItem(twins, name, twin) < 0))
        Py_CLEAR(compiled);
    tellings++;
    Py_XDECREF(name);
    Py_XDECREF(home);
    return compiled;
}

static PyObject *
getcurrent(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    static Twin slow; /* it makes a task for a greenlet that has none */
    Task *task = running_task();
    if (task != NULL)
        return (PyObject *)task;
    return twin_of(&slow, NULL, "getcurrent") == NULL ? NULL : PyObject_CallNoArgs(slow.function);
}

static PyMethodDef functions[] = {
    {"getcurrent", getcurrent, METH_NOARGS, DOC_getcurrent},
    {"double", double_, METH_O, "double(twin): the compiled class or function of the same name. See greening._compiled."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject *
make_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    PyObject *type = base == NULL ? PyType_FromSpec(spec) : PyType_FromSpecWithBases(spec, (PyObject *)base);
    if (type != NULL && PyModule_AddType(module, (PyTypeObject *)type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

static int
make_constants(void)
{
#define INTERN(name)                                          \
    N_##name = PyUnicode_InternFromString(#name);             \
    if (N_##name == NULL)                                     \
        return -1;
    NAMES(INTERN)
#undef INTERN
    ZERO = PyLong_FromLong(0);
    RUNNING = PyLong_FromLong(1);
    PARKED = PyLong_FromLong(2);
    READY = PyLong_FromLong(3);
    DEAD = PyLong_FromLong(4);
    EMPTY = PyUnicode_FromString("");
    SWITCHED = PyTuple_New(0);
    return ZERO && RUNNING && PARKED && READY && DEAD && EMPTY && SWITCHED ? 0 : -1;
}

/* The types and constants belong to the process and its main interpreter. The module is initialized in two phases (PEP
   489): so every interpreter that imports it comes through here. With one phase it would get what the first one has.
   An import after the module was deleted from `sys.modules` gets the same types again: objects of them exist. */
static int
fill_module(PyObject *module)
{
    static PyObject *filled;
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(PyExc_ImportError, "greening._accelerator can be imported in the main interpreter only");
        return -1;
    }
    PyObject *names = PyModule_GetDict(module);
    if (filled != NULL)
        return PyDict_Merge(names, filled, 0);
    PyGreenlet_Import();
    if (_PyGreenlet_API == NULL || make_constants() < 0 || PyModule_AddFunctions(module, functions) < 0 || add_ring(module) < 0 || add_tasks(module) < 0 ||
        add_gil(module) < 0 || add_lots(module) < 0 || add_fairness(module) < 0 || add_threads(module) < 0 ||
        add_guards(module) < 0 || add_locks(module) < 0 || add_semaphores(module) < 0 || add_locals(module) < 0 ||
        add_runners(module) < 0 || add_hubs(module) < 0 || add_registrations(module) < 0 ||
        add_sockets(module) < 0 || add_mask(module) < 0 || add_journal(module) < 0 || add_zeros(module) < 0 || add_files(module) < 0)
        return -1;
    filled = PyDict_Copy(names);
    return filled == NULL ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill_module},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "greening._accelerator", "Compiled doubles of the engine's busiest functions.", 0,
    NULL, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC
PyInit__accelerator(void)
{
    return PyModuleDef_Init(&definition);
}
