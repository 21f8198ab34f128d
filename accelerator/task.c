/* Tasks: their members, and what they do all the time: park and wake. */
#include "accelerator.h"
#include <pythread.h>

PyTypeObject *TaskType;

_Thread_local unsigned long long running_serial;

int
task_traverse(Task *self, visitproc visit, void *arg)
{
    Py_VISIT(TYPE(self));
    Py_VISIT(self->hub);
    Py_VISIT(self->resume);
    Py_VISIT(self->value);
    Py_VISIT(self->error);
    Py_VISIT(self->timer);
    Py_VISIT(self->context);
    Py_VISIT(self->thread_object);
    Py_VISIT(self->locals);
    return 0;
}

int
task_clear(Task *self)
{
    Py_CLEAR(self->hub);
    Py_CLEAR(self->resume);
    Py_CLEAR(self->state);
    Py_CLEAR(self->value);
    Py_CLEAR(self->error);
    Py_CLEAR(self->deadline);
    Py_CLEAR(self->timer);
    Py_CLEAR(self->generation);
    Py_CLEAR(self->context);
    Py_CLEAR(self->thread_object);
    Py_CLEAR(self->ident);
    Py_CLEAR(self->locals);
    Py_CLEAR(self->name);
    return 0;
}

PyObject *
task_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Task *self = (Task *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL)
        return NULL;
    self->hub = Py_NewRef(Py_None);
    self->resume = Py_NewRef(Py_None);
    self->state = Py_NewRef(ZERO);
    self->value = Py_NewRef(Py_None);
    self->error = Py_NewRef(Py_None);
    self->deadline = Py_NewRef(Py_None);
    self->timer = Py_NewRef(Py_None);
    self->generation = Py_NewRef(ZERO);
    self->context = Py_NewRef(Py_None);
    self->thread_object = Py_NewRef(Py_None);
    self->ident = Py_NewRef(ZERO);
    self->locals = Py_NewRef(Py_None);
    self->name = Py_NewRef(EMPTY);
    static unsigned long long serials;
    self->serial = ++serials;
    return (PyObject *)self;
}

DEFINE_DEALLOC_WEAK(task_dealloc, Task, task_clear, weakrefs)

/* Park */

static int
set_alarm(Task *task, PyObject *deadline)
{
    /* Task._set_alarm. The frequent case: the task's timer is due earlier, and is set again when it fires. */
    double when = PyFloat_AsDouble(deadline);
    if (when == -1.0 && PyErr_Occurred())
        return -1;
    if (when != when) {
        PyErr_SetString(PyExc_ValueError, "a time to wait must be a number of seconds, not nan");
        return -1;
    }
    SET(task->deadline, deadline);
    if (!IS_NONE(task->timer)) {
        PyObject *set = PyObject_GetAttr(task->timer, N_when);
        double before = set == NULL ? -1.0 : PyFloat_AsDouble(set);
        Py_XDECREF(set);
        if (before == -1.0 && PyErr_Occurred())
            return -1;
        if (when >= before)
            return 0;
        PyObject *done = PyObject_CallMethodObjArgs(task->timer, N_cancel, NULL);
        if (done == NULL)
            return -1;
        Py_DECREF(done);
    }
    PyObject *timers = PyObject_GetAttr(task->hub, N_timers);
    PyObject *alarm = PyObject_GetAttr((PyObject *)task, N__alarm);
    PyObject *timer = NULL;
    if (timers != NULL && alarm != NULL)
        timer = PyObject_CallMethodObjArgs(timers, N_add, deadline, alarm, NULL);
    Py_XDECREF(timers);
    Py_XDECREF(alarm);
    if (timer == NULL)
        return -1;
    SET(task->timer, timer);
    Py_DECREF(timer);
    return 0;
}

/* Set by Python: see greening/_core/asyncio_state.py. Without `busy_loop` asyncio's state is left alone. */
static PyObject *busy_loop, *save_slots_of, *restore_slots_to;

/* Undo a park: Task.cancel_park. The error that is set stays set. */
static void
cancel_park(Task *task)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *done = PyObject_CallMethodObjArgs((PyObject *)task, N_cancel_park, NULL);
    if (done == NULL)
        PyErr_WriteUnraisable((PyObject *)task);
    Py_XDECREF(done);
    PyErr_Restore(type, value, trace);
}

/* Save asyncio's state. NULL with an error; otherwise what `restore_slots` needs, or None. */
static PyObject *
save_slots(void)
{
    if (IS_NONE(busy_loop))
        return Py_NewRef(Py_None);
    PyObject *loop = PyObject_CallNoArgs(busy_loop);
    if (loop == NULL || loop == Py_None)
        return loop;
    PyObject *saved = PyObject_CallFunctionObjArgs(save_slots_of, loop, NULL);
    Py_DECREF(loop);
    return saved;
}

static int
restore_slots(PyObject *saved)
{
    if (saved == Py_None)
        return 0;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyObject *done = PyObject_CallFunctionObjArgs(restore_slots_to, saved, NULL);
    if (done == NULL) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(trace);
        return -1;
    }
    Py_DECREF(done);
    PyErr_Restore(type, value, trace);
    return 0;
}

static PyObject *
park_until(Task *task, PyObject *deadline)
{
    if (!IS(task->hub, HubType)) {
        PyErr_SetString(PyExc_TypeError, "this task has no hub");
        return NULL;
    }
    Hub *hub = (Hub *)task->hub;
    if (!IS_NONE(task->error) && task->state == PARKED) {
        /* It came during `pass_turn`. */
        PyObject *error = Py_NewRef(task->error);
        cancel_park(task);
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
        return NULL;
    }
    if (deadline != Py_None && !PyFloat_CheckExact(deadline)) {
        /* The hub compares it with other times: that must not run code of its class, or fail. */
        double when = PyFloat_AsDouble(deadline);
        PyObject *exact = when == -1.0 && PyErr_Occurred() ? NULL : PyFloat_FromDouble(when);
        if (exact == NULL) {
            cancel_park(task);
            return NULL;
        }
        PyObject *value = park_until(task, exact);
        Py_DECREF(exact);
        return value;
    }
    if (deadline != Py_None && set_alarm(task, deadline) < 0) {
        cancel_park(task);
        return NULL;
    }
    if (journal_on && journal_note_park(task, task->state == READY) < 0) {
        cancel_park(task);
        return NULL;
    }
    PyObject *saved = save_slots();
    if (saved == NULL) {
        cancel_park(task);
        return NULL;
    }
    Py_ssize_t depth = guard_give_away();
    PyObject *came = hub_switch(hub);
    while (came != NULL && came != SWITCHED) {
        /* A foreign greenlet, our child, has ended, and its result came up here. Or a stand-in holds the next task, and
           nothing was switched. */
        Py_DECREF(came);
        came = hub_switch(hub);
    }
    running_serial = task->serial;
    if (journal_on)
        journal_note_run(task, task->value == TIMED_OUT);
    if (came == NULL)
        cancel_park(task);
    int restored = restore_slots(saved);
    Py_DECREF(saved);
    if (depth > 0)
        guard_take_back(depth);
    if (came == NULL || restored < 0) {
        Py_XDECREF(came);
        return NULL;
    }
    Py_DECREF(came);
    SET(task->state, RUNNING);
    if (deadline != Py_None)
        SET(task->deadline, Py_None);
    if (!IS_NONE(task->error)) {
        PyObject *error = task->error;
        task->error = Py_NewRef(Py_None);
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
        return NULL;
    }
    PyObject *value = task->value;
    task->value = Py_NewRef(Py_None);
    return value == NULL ? Py_NewRef(Py_None) : value;
}

/* Park the running task, whatever its class: one without `resume` (foreign, stand-in, blocking) has its own `park`. */
PyObject *
task_park_running(Task *task, PyObject *deadline)
{
    if (!IS_NONE(task->resume))
        return park_until(task, deadline);
    return PyObject_CallMethodObjArgs((PyObject *)task, N_park, deadline, NULL);
}

static PyObject *
park(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count > 1) {
        PyErr_SetString(PyExc_TypeError, "park() takes a deadline, or nothing");
        return NULL;
    }
    return park_until((Task *)self, count ? args[0] : Py_None);
}

/* Wake */

int
task_make_ready(Task *task)
{
    if (!IS(task->hub, HubType)) {
        PyErr_SetString(PyExc_TypeError, "this task has no hub");
        return -1;
    }
    Hub *hub = (Hub *)task->hub;
    if (task->generation == NULL || hub->post == NULL) {
        missing("task.generation or hub.post");
        return -1;
    }
    if (hub->awake_ident == PyThread_get_thread_ident())
        return ring_append((Ring *)hub->ready, (PyObject *)task);
    if (journal_on)
        journal_note(NOTE_POST, task->serial, running_serial, 0, NULL);
    /* Until it is posted to the other hub, no finaliser may run here: it could wait for this very task. */
    pause_gc();
    PyObject *item = PyTuple_Pack(2, task, task->generation);
    PyObject *done = item == NULL ? NULL : PyObject_CallFunctionObjArgs(hub->post, item, NULL);
    resume_gc();
    Py_XDECREF(item);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static PyObject *
wake(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count > 1) {
        PyErr_SetString(PyExc_TypeError, "wake() takes a value, or nothing");
        return NULL;
    }
    Task *task = (Task *)self;
    if (task->state != PARKED)
        Py_RETURN_FALSE;
    SET(task->state, READY);
    SET(task->value, count ? args[0] : Py_None);
    if (task_make_ready(task) < 0)
        return NULL;
    Py_RETURN_TRUE;
}

static PyMethodDef task_methods[] = {
    {"park", (PyCFunction)(void (*)(void))park, METH_FASTCALL, DOC_TaskOps_park},
    {"wake", (PyCFunction)(void (*)(void))wake, METH_FASTCALL, DOC_TaskOps_wake},
    {NULL, NULL, 0, NULL},
};

#define MEMBER(name) {#name, T_OBJECT_EX, offsetof(Task, name), 0, NULL}

static PyMemberDef task_members[] = {
    MEMBER(hub), MEMBER(resume), MEMBER(state), MEMBER(value), MEMBER(error), MEMBER(deadline), MEMBER(timer),
    MEMBER(generation), MEMBER(context), MEMBER(thread_object),
    {"known_ident", T_OBJECT_EX, offsetof(Task, ident), 0, NULL},
    {"local_values", T_OBJECT_EX, offsetof(Task, locals), 0, NULL},
    {"_name", T_OBJECT_EX, offsetof(Task, name), 0, NULL},
    {"serial", T_ULONGLONG, offsetof(Task, serial), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Task, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot task_slots[] = {
    {Py_tp_doc, DOC_TaskOps},
    {Py_tp_methods, task_methods},
    {Py_tp_members, task_members},
    {Py_tp_new, task_new},
    {Py_tp_traverse, task_traverse},
    {Py_tp_clear, task_clear},
    {Py_tp_dealloc, task_dealloc},
    {0, NULL},
};

static PyType_Spec task_spec = BASE_CLASS(TaskOps, Task, task_slots);

static PyObject *
watch_slots(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *busy, *save, *restore;
    if (!PyArg_ParseTuple(args, "OOO", &busy, &save, &restore))
        return NULL;
    SET(save_slots_of, save);
    SET(restore_slots_to, restore);
    SET(busy_loop, busy);
    Py_RETURN_NONE;
}

static PyObject *
name_timeout(PyObject *Py_UNUSED(module), PyObject *timed_out)
{
    SET(TIMED_OUT, timed_out);
    Py_RETURN_NONE;
}

static PyObject *
note_running(PyObject *Py_UNUSED(module), PyObject *task)
{
    running_serial = IS(task, TaskType) ? ((Task *)task)->serial : 0;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"note_running", note_running, METH_O, "This task runs in this OS thread. A park notes it by itself."},
    {"watch_slots", watch_slots, METH_VARARGS, "watch_slots(busy, save, restore): ask these at every park."},
    {"name_timeout", name_timeout, METH_O, "This is what a park returns when its deadline came first."},
    {NULL, NULL, 0, NULL},
};

int
add_tasks(PyObject *module)
{
    TaskType = make_type(module, &task_spec, NULL);
    return TaskType == NULL ? -1 : PyModule_AddFunctions(module, functions);
}
