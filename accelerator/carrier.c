/* The body of a carrier (greening/_core/carrier.py), and the switch that lets everybody else run once. */
#include "accelerator.h"
#include <greenlet/greenlet.h>

/* Told by Python: the end of a forked child, `sleep` for the unusual. */
static PyObject *end_of_child, *slow_sleep;
static Py_ssize_t max_idle;

/* Whether anybody still knows the carrier: by reference, by weak reference, by an attribute. */
static int
is_known(PyObject *carrier, Hub *hub)
{
    PyGreenlet *glet = (PyGreenlet *)carrier;
    Py_ssize_t references = Py_REFCNT(carrier);
    if (hub->carrier_refs < 0) {
        hub->carrier_refs = references; /* this one is there to be counted */
        return 1;
    }
    return references > hub->carrier_refs || glet->weakreflist != NULL ||
           (glet->dict != NULL && PyDict_Size(glet->dict) > 0);
}

/* Run the task, and drop it. -1: error. */
static int
run_task(PyObject *carrier, Hub *hub)
{
    PyObject *task = PyObject_GetAttr(carrier, N__greening_task);
    PyObject *done = task == NULL ? NULL : PyObject_CallMethodObjArgs(task, N_execute, NULL);
    if (done != NULL && hub->main == task) {
        Py_DECREF(done);
        PyObject *failure = PyObject_GetAttr(task, N__failure);
        if (failure == NULL) {
            PyErr_Clear();
            failure = Py_NewRef(Py_None);
        }
        done = PyObject_CallFunctionObjArgs(end_of_child, failure, NULL);
        Py_DECREF(failure);
    }
    Py_XDECREF(done);
    /* What this frees may run finalisers. They find no task here, and one that blocks makes the carrier a task. */
    Py_XDECREF(task);
    return done == NULL ? -1 : PyObject_DelAttr(carrier, N__greening_task);
}

static PyObject *
run_carrier(PyObject *Py_UNUSED(module), PyObject *self)
{
    PyObject *of = PyObject_GetAttr(self, N_hub);
    if (of == NULL || !IS(of, HubType)) {
        Py_XDECREF(of);
        PyErr_SetString(PyExc_TypeError, "this carrier has no hub");
        return NULL;
    }
    Hub *hub = (Hub *)of;
    for (;;) {
        if (run_task(self, hub) < 0)
            goto failed;
        if (is_known(self, hub) || PyList_Size(hub->idle) >= max_idle)
            break;
        /* Whoever blocks from here on would be given the next green thread in place of what he waits for. */
        if (PyObject_SetAttr(self, N_gr_context, Py_None) < 0 ||
            PyObject_SetAttr(self, N__greening_task, hub->task) < 0 || PyList_Append(hub->idle, self) < 0)
            goto failed;
        PyObject *came = hub_switch(hub);
        if (came == NULL)
            goto failed;
        Py_DECREF(came);
    }
    if (PySet_Discard(hub->carriers, self) < 0 || PyObject_DelAttr(self, N_resume) < 0)
        goto failed;
    Py_DECREF(of);
    Py_RETURN_NONE;
failed:
    Py_DECREF(of);
    return NULL;
}

static PyObject *
double_carrier(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *end;
    Py_ssize_t idle;
    if (!PyArg_ParseTuple(args, "nO", &idle, &end))
        return NULL;
    max_idle = idle;
    SET(end_of_child, end);
    Py_RETURN_NONE;
}

static PyObject *
sleep_(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    Py_ssize_t count = PyTuple_Size(args);
    if (kwargs == NULL && (count == 0 || (count == 1 && PyTuple_GetItem(args, 0) == ZERO))) {
        Task *me = running_task();
        if (me != NULL && me->state == RUNNING && IS(me->hub, HubType)) {
            SET(me->state, READY);
            PyObject *done = NULL;
            if (ring_append((Ring *)((Hub *)me->hub)->ready, (PyObject *)me) == 0)
                done = task_park_running(me, Py_None);
            Py_DECREF((PyObject *)me);
            if (done == NULL)
                return NULL;
            Py_DECREF(done);
            Py_RETURN_NONE;
        }
        Py_XDECREF((PyObject *)me);
    }
    return PyObject_Call(slow_sleep, args, kwargs);
}

static PyObject *
double_sleep(PyObject *Py_UNUSED(module), PyObject *slow)
{
    SET(slow_sleep, slow);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"double_carrier", double_carrier, METH_VARARGS, "double_carrier(MAX_IDLE, end_of_forked_child): for `run_carrier`."},
    {"learn_carrier", learn_carrier, METH_O, "learn_carrier(carrier): where such a one, which has a task, keeps it."},
    {"run_carrier", run_carrier, METH_O, "See greening._core.carrier.Carrier.run."},
    {"double_sleep", double_sleep, METH_O, "double_sleep(sleep): what `sleep` does with more than 0 seconds."},
    {"sleep", (PyCFunction)(void (*)(void))sleep_, METH_VARARGS | METH_KEYWORDS,
     "sleep($module, seconds=0)\n--\n\nLet others run for at least `seconds`; 0 (or less): let everybody who is runnable "
     "now run once.\n\nSee greening._core.waiting.sleep."},
    {NULL, NULL, 0, NULL},
};

int
add_carriers(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
