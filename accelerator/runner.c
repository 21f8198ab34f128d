/* The body of a runner (greening/_core/runner.py), without a Python frame of its own: the C stack is copied at every
   switch, and kept while the runner is suspended. And `sleep(0)`, the switch that lets every runnable task run once. */
#include "accelerator.h"
#include <greenlet/greenlet.h>
#include <signal.h>
#include <unistd.h>

/* Set by Python: the function that ends a forked child. */
static PyObject *end_of_child;
static Py_ssize_t max_idle;

/* Set the runner's context to that of the task that it was given while it was idle. -1: error. */
static int
take_context(PyObject *runner)
{
    PyObject *task = PyObject_GetAttr(runner, N__greening_task);
    int taken = -1;
    if (IS(task, TaskType))
        taken = PyObject_SetAttr(runner, N_gr_context, ((Task *)task)->context); /* NULL deletes it: an error */
    else if (task != NULL)
        PyErr_Format(PyExc_TypeError, "a task is needed, not %R", task);
    Py_XDECREF(task);
    return taken;
}

/* Whether anything still refers to the runner: by reference, by weak reference, by an attribute. */
static int
is_known(PyObject *runner, Hub *hub)
{
    PyGreenlet *glet = (PyGreenlet *)runner;
    Py_ssize_t references = Py_REFCNT(runner);
    if (hub->runner_refs < 0) {
        hub->runner_refs = references; /* this runner exists to be counted */
        return 1;
    }
    return references > hub->runner_refs || glet->weakreflist != NULL ||
           (glet->dict != NULL && PyDict_Size(glet->dict) > 0);
}

/* Run the task, and drop it. -1: error. */
static int
run_task(PyObject *runner, Hub *hub)
{
    PyObject *task = PyObject_GetAttr(runner, N__greening_task);
    PyObject *done = NULL;
    if (task != NULL && Py_TYPE(task) == thread_class)
        done = thread_execute(task, NULL);
    else if (task != NULL) {
        PyObject *method = PyObject_GetAttr(task, N_execute);
        done = method == NULL ? NULL : PyObject_CallNoArgs(method);
        Py_XDECREF(method);
    }
    if (done != NULL && hub->main == task) {
        Py_DECREF(done);
        PyObject *failure = PyObject_GetAttr(task, N_failure);
        if (failure == NULL) {
            PyErr_Clear();
            failure = Py_NewRef(Py_None);
        }
        done = told(end_of_child) == NULL ? NULL : PyObject_CallFunctionObjArgs(end_of_child, failure, NULL);
        Py_DECREF(failure);
    }
    Py_XDECREF(done);
    Py_XDECREF(task); /* the runner still has it */
    /* To free the task may run finalisers. They find no task here; one that waits gets a task of its own.
       Not PyObject_DelAttr: it is a function from 3.13 on, which older versions lack. */
    return done == NULL ? -1 : PyObject_SetAttr(runner, N__greening_task, NULL);
}

/* Whether it has no task yet. */
static int
is_idle(PyObject *runner, Hub *hub)
{
    PyObject *task = PyObject_GetAttr(runner, N__greening_task);
    if (task == NULL)
        PyErr_Clear();
    Py_XDECREF(task); /* the runner has it */
    return task == hub->task;
}

/* Up to 3.13 CPython ends an OS thread that asks for the GIL while the interpreter ends, by pthread_exit(3). That
   unwinds the stack, and greenlet's frames, which called `run`, would need the GIL for it. So the thread waits here for
   ever, as in 3.14. (greening/_core/finalization.py stops threads that wait. This is for those that compute, or come
   late.) */
static void
stop_unwinding(int *returns)
{
    if (*returns)
        return;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;)
        pause();
}

/* never_unwound(call): `call()`, for the loop of a hub. */
static PyObject *
never_unwound(PyObject *Py_UNUSED(module), PyObject *args)
{
    int returns __attribute__((cleanup(stop_unwinding))) = 0;
    PyObject *call = PyTuple_Size(args) > 0 ? PyTuple_GetItem(args, 0) : NULL;
    PyObject *rest = call == NULL ? NULL : PyTuple_GetSlice(args, 1, PyTuple_Size(args));
    PyObject *result = rest == NULL ? NULL : PyObject_Call(call, rest, NULL);
    Py_XDECREF(rest);
    if (call == NULL)
        PyErr_SetString(PyExc_TypeError, "never_unwound() takes a callable, and its arguments");
    returns = 1;
    return result;
}

static PyObject *
run(PyObject *self, PyObject *Py_UNUSED(unused))
{
    int returns __attribute__((cleanup(stop_unwinding))) = 0;
    PyObject *of = PyObject_GetAttr(self, N_hub);
    if (of == NULL || !IS(of, HubType)) {
        Py_XDECREF(of);
        PyErr_SetString(PyExc_TypeError, "this runner has no hub");
        returns = 1;
        return NULL;
    }
    Hub *hub = (Hub *)of;
    for (;;) {
        if (run_task(self, hub) < 0)
            goto failed;
        if (hub->idle == NULL || !PyList_Check(hub->idle)) {
            missing("hub.idle");
            goto failed;
        }
        if (is_known(self, hub) || PyList_Size(hub->idle) >= max_idle)
            break;
        /* Code that blocks from here on would resume as the next green thread. */
        if (PyObject_SetAttr(self, N_gr_context, Py_None) < 0 ||
            PyObject_SetAttr(self, N__greening_task, hub->task) < 0 || PyList_Append(hub->idle, self) < 0)
            goto failed;
        PyObject *came = hub_switch(hub);
        Py_XDECREF(came);
        while (came != NULL && is_idle(self, hub)) {
            /* Nothing was switched, or a foreign greenlet has ended and its result came up here. */
            came = resume_greenlet(hub->enter);
            Py_XDECREF(came);
        }
        if (came == NULL || take_context(self) < 0)
            goto failed;
    }
    if (hub->runners == NULL) {
        missing("hub.runners");
        goto failed;
    }
    running_serial = 0; /* the loop goes on */
    if (PySet_Discard(hub->runners, self) < 0 || PyObject_SetAttr(self, N_resume, NULL) < 0)
        goto failed;
    Py_DECREF(of);
    returns = 1;
    Py_RETURN_NONE;
failed:
    Py_DECREF(of);
    returns = 1;
    return NULL;
}

static PyMethodDef run_method = {"run", run, METH_NOARGS, "See greening._core.runner.Runner.run."};

static PyObject *
run_of(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *type, *end;
    Py_ssize_t idle;
    if (!PyArg_ParseTuple(args, "O!nO", &PyType_Type, &type, &idle, &end))
        return NULL;
    if (!is_greenlet_class((PyTypeObject *)type)) {
        PyErr_SetString(PyExc_TypeError, "a class of greenlets is needed");
        return NULL;
    }
    max_idle = idle;
    SET(end_of_child, end);
    return PyDescr_NewMethod((PyTypeObject *)type, &run_method);
}

/* Call the twin of `sleep`: for more than 0 seconds, or for arguments that must be checked. */
static PyObject *
call_slow_sleep(PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Py_ssize_t named = names == NULL ? 0 : PyTuple_Size(names);
    static Twin twin;
    PyObject *result = NULL, *plain = PyTuple_New(count), *keywords = PyDict_New();
    if (plain == NULL || keywords == NULL || twin_of(&twin, NULL, "sleep") == NULL)
        goto done;
    for (Py_ssize_t i = 0; i < count; i++)
        if (PyTuple_SetItem(plain, i, Py_NewRef(args[i])) < 0)
            goto done;
    for (Py_ssize_t i = 0; i < named; i++)
        if (PyDict_SetItem(keywords, PyTuple_GetItem(names, i), args[count + i]) < 0)
            goto done;
    result = PyObject_Call(twin.function, plain, keywords);
done:
    Py_XDECREF(plain);
    Py_XDECREF(keywords);
    return result;
}

static PyObject *
sleep_(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    if (names == NULL && (count == 0 || (count == 1 && args[0] == ZERO))) {
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
    return call_slow_sleep(args, count, names);
}

static PyMethodDef functions[] = {
    {"run_of", run_of, METH_VARARGS, "run_of(Runner, MAX_IDLE, end_of_forked_child): the `run` of that class."},
    {"learn_runner", learn_runner, METH_O, "learn_runner(runner): where such a one, which has a task, keeps it."},
    {"never_unwound", never_unwound, METH_VARARGS,
     "never_unwound(call, *args): call it; an OS thread that is ended with the interpreter hangs here instead."},
    {"sleep", (PyCFunction)(void (*)(void))sleep_, METH_FASTCALL | METH_KEYWORDS, DOC_sleep},
    {NULL, NULL, 0, NULL},
};

int
add_runners(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
