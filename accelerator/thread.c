/* Green threads: spawn, the run of the function, its end, and the wait for it. */
#include "accelerator.h"

PyTypeObject *ThreadType;

/* Set by Python: GreenThread, contextvars.copy_context and types.CoroutineType. */
PyTypeObject *thread_class;
static PyObject *copy_context, *coroutine_type;

static int
thread_traverse(Thread *self, visitproc visit, void *arg)
{
    Py_VISIT(self->func);
    Py_VISIT(self->args);
    Py_VISIT(self->kwargs);
    Py_VISIT(self->result);
    Py_VISIT(self->failure);
    Py_VISIT(self->waiters);
    Py_VISIT(self->links);
    Py_VISIT(self->start_timer);
    return task_traverse(&self->task, visit, arg);
}

static int
thread_clear(Thread *self)
{
    Py_CLEAR(self->func);
    Py_CLEAR(self->args);
    Py_CLEAR(self->kwargs);
    Py_CLEAR(self->result);
    Py_CLEAR(self->failure);
    Py_CLEAR(self->waiters);
    Py_CLEAR(self->links);
    Py_CLEAR(self->start_timer);
    Py_CLEAR(self->quiet);
    return task_clear(&self->task);
}

DEFINE_DEALLOC_WEAK(thread_dealloc, Thread, thread_clear, task.weakrefs)

static PyObject *
thread_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Thread *self = (Thread *)task_new(type, args, kwargs);
    if (self != NULL) {
        self->func = Py_NewRef(Py_None);
        self->args = Py_NewRef(Py_None);
        self->kwargs = Py_NewRef(Py_None);
        self->result = Py_NewRef(Py_None);
        self->failure = Py_NewRef(Py_None);
        self->waiters = Py_NewRef(Py_None);
        self->links = Py_NewRef(Py_None);
        self->start_timer = Py_NewRef(Py_None);
        self->quiet = Py_NewRef(Py_False);
    }
    return (PyObject *)self;
}

static int
fill(Thread *self, PyObject *hub, PyObject *func, PyObject *args, PyObject *kwargs)
{
    PyObject *context = told(copy_context) == NULL ? NULL : PyObject_CallNoArgs(copy_context);
    if (context == NULL)
        return -1;
    SET(self->task.context, context);
    Py_DECREF(context);
    SET(self->task.hub, hub);
    SET(self->func, func);
    SET(self->args, args);
    SET(self->kwargs, kwargs);
    self->born = ticks();
    return 0;
}

static int
thread_init(Thread *self, PyObject *given, PyObject *Py_UNUSED(kwargs))
{
    PyObject *hub, *func, *args, *named;
    if (PyTuple_Size(given) != 4) {
        PyErr_SetString(PyExc_TypeError, "a green thread is made by spawn(function, *args, **kwargs)");
        return -1;
    }
    if (!PyArg_ParseTuple(given, "OOO!O!", &hub, &func, &PyTuple_Type, &args, &PyDict_Type, &named))
        return -1;
    return fill(self, hub, func, args, named);
}

/* `spawn` and `spawn_n`. `slow`: the Python twin of that name, for a call that is not of the frequent kind. */
static PyObject *
spawn_or(Twin *slow, const char *name, PyObject *args, PyObject *kwargs)
{
    PyObject *func = PyTuple_Size(args) ? PyTuple_GetItem(args, 0) : NULL;
    int twice = kwargs == NULL ? 0 : PyDict_Contains(kwargs, N_func); /* `func=`: the twin knows what is wrong */
    if (twice < 0)
        return NULL;
    if (twice)
        func = NULL;
    Task *me = func == NULL || !PyCallable_Check(func) ? NULL : running_task();
    Hub *hub = me == NULL ? NULL : (Hub *)me->hub;
    if (hub == NULL || !IS(hub, HubType) || !hub->awake_ident) {
        Py_XDECREF((PyObject *)me);
        return twin_of(slow, NULL, name) == NULL ? NULL : PyObject_Call(slow->function, args, kwargs);
    }
    if (told((PyObject *)thread_class) == NULL) {
        Py_DECREF((PyObject *)me);
        return NULL;
    }
    Thread *thread = (Thread *)thread_new(thread_class, NULL, NULL);
    PyObject *rest = PyTuple_GetSlice(args, 1, PyTuple_Size(args));
    PyObject *named = kwargs == NULL ? NULL : PyDict_Copy(kwargs);
    if (thread == NULL || rest == NULL || (kwargs != NULL && named == NULL) ||
        fill(thread, (PyObject *)hub, func, rest, named == NULL ? Py_None : named) < 0 ||
        ring_append((Ring *)hub->ready, (PyObject *)thread) < 0)
        Py_CLEAR(thread);
    Py_XDECREF(rest);
    Py_XDECREF(named);
    Py_DECREF((PyObject *)me);
    return (PyObject *)thread;
}

static PyObject *
spawn(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static Twin twin;
    return spawn_or(&twin, "spawn", args, kwargs);
}

static PyObject *
spawn_n(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static Twin twin;
    return spawn_or(&twin, "spawn_n", args, kwargs);
}

/* The end */

static int
call_links(Thread *self, PyObject *links)
{
    for (Py_ssize_t i = 0; i < PyList_Size(links); i++) {
        PyObject *link = Py_NewRef(PyList_GetItem(links, i));
        PyObject *method = PyObject_GetAttr((PyObject *)self, N__call_link);
        PyObject *done = method == NULL ? NULL : PyObject_CallObject(method, link);
        Py_XDECREF(method);
        Py_XDECREF(done);
        Py_DECREF(link);
        if (done == NULL)
            return -1;
    }
    return 0;
}

static PyObject *
settle(PyObject *thread, PyObject *Py_UNUSED(unused))
{
    Thread *self = (Thread *)thread;
    /* From here on there are no new waiters and links. To free objects may run finalisers, which may park: the waiters
       come first. */
    PyObject *func = self->func;
    self->func = Py_NewRef(Py_None);
    int failed = IS(self->waiters, LotType) && lot_unpark_all((Lot *)self->waiters, Py_None) < 0;
    Py_XDECREF(func);
    SET(self->args, Py_None);
    SET(self->kwargs, Py_None);
    SET(self->task.error, Py_None);
    SET(self->task.context, Py_None);
    PyObject *links = self->links;
    self->links = Py_NewRef(Py_None);
    if (!failed && links != NULL && PyList_Check(links))
        failed = call_links(self, links) < 0;
    Py_XDECREF(links);
    if (failed)
        return NULL;
    SET(self->task.locals, Py_None);
    if (!IS_NONE(self->task.timer)) {
        PyObject *done = PyObject_CallMethodObjArgs(self->task.timer, N_cancel, NULL);
        if (done == NULL)
            return NULL;
        Py_DECREF(done);
        SET(self->task.timer, Py_None);
    }
    SET(self->task.state, DEAD);
    SET(self->task.resume, Py_None);
    Py_RETURN_NONE;
}

/* `_settle` while the journal is on. On its own, so that what it needs is not on the stack while the function runs. */
static PyObject *
settle_and_note(PyObject *thread)
{
    PyObject *name = journal_name((Task *)thread); /* now: its `threading.Thread`, which may have it, is dropped */
    if (name == NULL)
        PyErr_WriteUnraisable(thread);
    PyObject *settled = PyObject_CallMethodObjArgs(thread, N__settle, NULL);
    if (journal_on && settled != NULL)
        journal_note_end((Task *)thread, name);
    Py_XDECREF(name);
    return settled;
}

/* GreenThread.execute */
PyObject *
thread_execute(PyObject *thread, PyObject *Py_UNUSED(unused))
{
    Thread *self = (Thread *)thread;
    if (IS_NONE(self->func)) { /* killed between its turn and its start */
        SET(self->task.resume, Py_None);
        Py_RETURN_NONE;
    }
    SET(self->task.state, RUNNING);
    running_serial = self->task.serial;
    PyObject *result = NULL;
    if (journal_on && journal_note_begin(&self->task) < 0)
        ; /* a signal handler has raised an error while the name was made */
    else if (!IS_NONE(self->task.error))
        PyErr_SetObject((PyObject *)Py_TYPE(self->task.error), self->task.error);
    else if (self->args == NULL || !PyTuple_Check(self->args) || !(IS_NONE(self->kwargs) || PyDict_Check(self->kwargs)))
        PyErr_SetString(PyExc_TypeError, "a function is called with a tuple and a dictionary");
    else {
        PyObject *func = Py_NewRef(self->func), *args = Py_NewRef(self->args);
        PyObject *kwargs = IS_NONE(self->kwargs) ? NULL : Py_NewRef(self->kwargs);
        result = PyObject_Call(func, args, kwargs);
        Py_DECREF(func);
        Py_DECREF(args);
        Py_XDECREF(kwargs);
    }
    if (result != NULL && (PyObject *)Py_TYPE(result) == coroutine_type) {
        PyObject *checked = PyObject_CallMethodObjArgs(thread, N__check_coroutine, result, NULL);
        if (checked == NULL)
            Py_CLEAR(result);
        Py_XDECREF(checked);
    }
    if (result != NULL) {
        SET(self->result, result);
        Py_DECREF(result);
    } else {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        PyErr_NormalizeException(&type, &value, &trace);
        if (trace != NULL)
            PyException_SetTraceback(value, trace);
        Py_XDECREF(type);
        Py_XDECREF(trace);
        PyObject *done = PyObject_CallMethodObjArgs(thread, N__keep_failure, value, NULL);
        Py_XDECREF(value);
        if (done == NULL)
            return NULL;
        Py_DECREF(done);
    }
    if (journal_on)
        return settle_and_note(thread);
    if (Py_TYPE(thread) == thread_class)
        return settle(thread, NULL);
    return PyObject_CallMethodObjArgs(thread, N__settle, NULL);
}

/* The lot of the tasks that wait for its end, borrowed; made when there is none. NULL with an error. */
static Lot *
waiters_of(Thread *self)
{
    if (!IS(self->waiters, LotType)) {
        Lot *made = lot_new(); /* may run a finaliser that waits for this very thread: its lot stays */
        if (made == NULL)
            return NULL;
        if (!IS(self->waiters, LotType))
            SET(self->waiters, (PyObject *)made);
        Py_DECREF((PyObject *)made);
    }
    return (Lot *)self->waiters;
}

/* Park `me`, the running task, until the thread has ended. -1: error. */
static int
wait_for_end(Thread *self, Task *me)
{
    Lot *waiters = waiters_of(self);
    if (waiters == NULL)
        return -1;
    if (IS_NONE(self->func))
        return 0;
    Py_INCREF((PyObject *)waiters);
    PyObject *woken = NULL;
    if (lot_append(waiters, (PyObject *)me) == 0) {
        SET(me->state, PARKED);
        if (journal_on)
            journal_note(NOTE_WAIT_END, me->serial, self->task.serial, 0, NULL);
        woken = task_park_running(me, Py_None);
        if (woken == NULL)
            lot_leave(waiters, (PyObject *)me);
    }
    Py_DECREF((PyObject *)waiters);
    Py_XDECREF(woken);
    return woken == NULL ? -1 : 0;
}

/* Call the twin of `wait`: for timeouts, failures and rare cases. */
static PyObject *
wait_slowly(PyObject *thread, PyObject *args, PyObject *kwargs)
{
    static Twin twin;
    if (twin_of(&twin, "ThreadOps", "wait") == NULL)
        return NULL;
    if (args == NULL || (kwargs == NULL && PyTuple_Size(args) == 0))
        return PyObject_CallFunctionObjArgs(twin.function, thread, NULL);
    PyObject *all = PyTuple_New(PyTuple_Size(args) + 1);
    if (all == NULL)
        return NULL;
    int failed = PyTuple_SetItem(all, 0, Py_NewRef(thread)) < 0;
    for (Py_ssize_t i = 0; i < PyTuple_Size(args) && !failed; i++)
        failed = PyTuple_SetItem(all, i + 1, Py_NewRef(PyTuple_GetItem(args, i))) < 0;
    PyObject *result = failed ? NULL : PyObject_Call(twin.function, all, kwargs);
    Py_DECREF(all);
    return result;
}

/* GreenThread.wait, without a timeout. */
static PyObject *
wait(PyObject *thread, PyObject *args, PyObject *kwargs)
{
    Thread *self = (Thread *)thread;
    if (IS_NONE(self->func)) {
        if (fairness_tick() < 0)
            return NULL;
    } else {
        Task *me = kwargs == NULL && PyTuple_Size(args) == 0 ? running_task() : NULL;
        if (me == NULL || (PyObject *)me == thread || me->state != RUNNING) {
            Py_XDECREF((PyObject *)me);
            return wait_slowly(thread, args, kwargs);
        }
        int waited = wait_for_end(self, me);
        Py_DECREF((PyObject *)me);
        if (waited < 0)
            return NULL;
    }
    if (IS_NONE(self->func) && self->failure == Py_None && self->result != NULL)
        return Py_NewRef(self->result);
    return wait_slowly(thread, NULL, NULL);
}

/* GreenThread.age */
static PyObject *
age(PyObject *thread, PyObject *Py_UNUSED(unused))
{
    return PyFloat_FromDouble(seconds_since(((Thread *)thread)->born));
}

/* ThreadOps[T], for type checkers. */
static PyObject *
class_getitem(PyObject *type, PyObject *Py_UNUSED(item))
{
    return Py_NewRef(type);
}

static PyMethodDef methods[] = {
    {"__class_getitem__", class_getitem, METH_O | METH_CLASS, "The class itself."},
    {"execute", thread_execute, METH_NOARGS, DOC_ThreadOps_execute},
    {"_settle", settle, METH_NOARGS, DOC_ThreadOps__settle},
    {"age", age, METH_NOARGS, DOC_ThreadOps_age},
    {"wait", (PyCFunction)(void (*)(void))wait, METH_VARARGS | METH_KEYWORDS, DOC_ThreadOps_wait},
    {NULL, NULL, 0, NULL},
};

#define MEMBER(name) {"_" #name, T_OBJECT_EX, offsetof(Thread, name), 0, NULL}

static PyMemberDef members[] = {
    MEMBER(func), MEMBER(args), MEMBER(kwargs), MEMBER(result), MEMBER(waiters), MEMBER(links),
    MEMBER(start_timer), {"failure", T_OBJECT_EX, offsetof(Thread, failure), 0, NULL},
    {"quiet", T_OBJECT_EX, offsetof(Thread, quiet), 0, NULL}, {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, DOC_ThreadOps},
    {Py_tp_new, thread_new},
    {Py_tp_init, thread_init},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_traverse, thread_traverse},
    {Py_tp_clear, thread_clear},
    {Py_tp_dealloc, thread_dealloc},
    {0, NULL},
};

static PyType_Spec spec = BASE_CLASS(ThreadOps, Thread, slots);

static PyObject *
tell_thread_class(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *type, *copy, *coroutine;
    if (!PyArg_ParseTuple(args, "O!OO", &PyType_Type, &type, &copy, &coroutine))
        return NULL;
    if (!PyType_IsSubtype((PyTypeObject *)type, ThreadType)) {
        PyErr_SetString(PyExc_TypeError, "the class of green threads has other members");
        return NULL;
    }
    Py_INCREF(type);
    Py_XDECREF((PyObject *)thread_class);
    thread_class = (PyTypeObject *)type;
    SET(copy_context, copy);
    SET(coroutine_type, coroutine);
    Py_RETURN_NONE;
}

static PyObject *
make_contexts_by(PyObject *Py_UNUSED(module), PyObject *make)
{
    if (!PyCallable_Check(make)) {
        PyErr_SetString(PyExc_TypeError, "a callable is needed");
        return NULL;
    }
    SET(copy_context, make);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"make_contexts_by", make_contexts_by, METH_O, "See greening._core.thread_ops.make_contexts_by."},
    {"tell_thread_class", tell_thread_class, METH_VARARGS,
     "tell_thread_class(GreenThread, copy_context, CoroutineType): what `spawn` and `execute` need."},
    {"spawn", (PyCFunction)(void (*)(void))spawn, METH_VARARGS | METH_KEYWORDS, DOC_spawn},
    {"spawn_n", (PyCFunction)(void (*)(void))spawn_n, METH_VARARGS | METH_KEYWORDS, DOC_spawn_n},
    {NULL, NULL, 0, NULL},
};

int
add_threads(PyObject *module)
{
    ThreadType = make_type(module, &spec, TaskType);
    return ThreadType == NULL ? -1 : PyModule_AddFunctions(module, functions);
}
