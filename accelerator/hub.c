/* The hub's members, its rounds, and the switch to the next task (greening/_core/switching.py). */
#include "accelerator.h"

PyTypeObject *HubType;

/* Hub */

static PyObject *
hub_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Hub *self = (Hub *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL)
        return NULL;
    self->ready = PyObject_CallNoArgs((PyObject *)RingType);
    if (self->ready == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    self->idle = Py_NewRef(Py_None);
    self->runners = Py_NewRef(Py_None);
    self->main = Py_NewRef(Py_None);
    self->task = Py_NewRef(Py_None);
    self->regs = Py_NewRef(Py_None);
    self->now = Py_NewRef(Py_None);
    self->enter = Py_NewRef(Py_None);
    self->post = Py_NewRef(Py_None);
    return (PyObject *)self;
}

static int
hub_traverse(Hub *self, visitproc visit, void *arg)
{
    Py_VISIT(TYPE(self));
    Py_VISIT(self->ready);
    Py_VISIT(self->idle);
    Py_VISIT(self->runners);
    Py_VISIT(self->main);
    Py_VISIT(self->task);
    Py_VISIT(self->regs);
    Py_VISIT(self->now);
    Py_VISIT(self->enter);
    Py_VISIT(self->post);
    Py_VISIT(self->dict);
    return 0;
}

static int
hub_clear(Hub *self)
{
    Py_CLEAR(self->idle);
    Py_CLEAR(self->runners);
    Py_CLEAR(self->main);
    Py_CLEAR(self->task);
    Py_CLEAR(self->regs);
    Py_CLEAR(self->now);
    Py_CLEAR(self->enter);
    Py_CLEAR(self->post);
    Py_CLEAR(self->dict);
    return 0;
}

static void
hub_dealloc(Hub *self)
{
    PyTypeObject *type = TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs((PyObject *)self);
    hub_clear(self);
    Py_CLEAR(self->ready);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* Give a task without a runner an idle one. 1: given, 0: none is idle, or the task is dead, -1: error. */
static int
give_runner(Hub *hub, Task *task)
{
    Py_ssize_t idle = hub->idle != NULL && PyList_Check(hub->idle) ? PyList_Size(hub->idle) : 0;
    if (idle == 0 || task->state == DEAD)
        return 0;
    PyObject *runner = Py_NewRef(PyList_GetItem(hub->idle, idle - 1));
    PyObject *resume = NULL;
    /* The runner sets its context itself: it is suspended without a Python frame, and greenlet takes it for running. */
    if (PyList_SetSlice(hub->idle, idle - 1, idle, NULL) == 0 &&
        PyObject_SetAttr(runner, N__greening_task, (PyObject *)task) == 0)
        resume = PyObject_GetAttr(runner, N_resume);
    Py_DECREF(runner);
    if (resume == NULL)
        return -1;
    SET(task->resume, resume);
    Py_DECREF(resume);
    return 1;
}

/* Hub.turn_begins: whether the round goes on, by count and by time. If so, the next task begins a new slice. */
static int
turn_begins(Hub *hub)
{
    if (hub->switches_left <= 0)
        return 0;
    unsigned long long now = ticks();
    if (now >= hub->round_end)
        return 0;
    start_slice(hub, now);
    return 1;
}

/* Hub.switch: leave the running greenlet for the next runnable task, or for the loop. */
PyObject *
hub_switch(Hub *hub)
{
    PyObject *resume = hub->enter;
    Ring *ready = (Ring *)hub->ready;
    Task *task = (Task *)ring_first(ready);
    if (task != NULL && turn_begins(hub)) {
        int has = IS_NONE(task->resume) ? give_runner(hub, task) : 1;
        if (has < 0)
            return NULL;
        if (has) {
            hub->switches_left--;
            resume = task->resume;
            Py_INCREF(resume);
            Py_DECREF(ring_popleft(ready));
            goto go;
        }
    }
    if (resume == NULL)
        return missing("hub._enter");
    running_serial = 0;
    Py_INCREF(resume);
go:;
    PyObject *came = resume_greenlet(resume);
    Py_DECREF(resume);
    return came;
}

static PyObject *
switch_(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return hub_switch((Hub *)self);
}

/* Count the switches of the round that has ended. One by one they cost nothing: they are what it used of its budget. */
static void
note_switches(Hub *hub)
{
    hub->switches += (unsigned long long)(hub->granted - hub->switches_left);
}

static PyObject *
begin_round(Hub *self, PyObject *count)
{
    Py_ssize_t turns = PyLong_AsSsize_t(count);
    if (turns == -1 && PyErr_Occurred())
        return NULL;
    calibrate();
    note_switches(self);
    self->granted = self->switches_left = turns;
    self->rounds++;
    unsigned long long began = ticks();
    note_processor_time(self, began);
    self->round_end = self->timed ? began + round_ticks : ~0ULL;
    start_slice(self, began);
    if (journal_on)
        journal_note_round(self);
    Py_RETURN_NONE;
}

static PyObject *
end_round(Hub *self, PyObject *Py_UNUSED(unused))
{
    note_switches(self);
    self->granted = self->switches_left = 0;
    Py_RETURN_NONE;
}

static PyObject *
turn_begins_(Hub *self, PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(turn_begins(self));
}

static PyObject *
begin_slice(Hub *self, PyObject *Py_UNUSED(now))
{
    start_slice(self, ticks());
    Py_RETURN_NONE;
}

static PyObject *
slice_age(Hub *self, PyObject *Py_UNUSED(unused))
{
    unsigned long long began = self->slice_end - slice_ticks;
    return PyFloat_FromDouble(self->timed && ticks() > began ? seconds_since(began) : 0.0);
}

static PyObject *
hub_pause_gc(Hub *self, PyObject *Py_UNUSED(unused))
{
    if (!self->resting) {
        self->resting = 1;
        pause_gc();
    }
    Py_RETURN_NONE;
}

static PyObject *
hub_resume_gc(Hub *self, PyObject *Py_UNUSED(unused))
{
    if (self->resting) {
        self->resting = 0;
        resume_gc();
    }
    Py_RETURN_NONE;
}

static PyMethodDef hub_methods[] = {
    {"pause_gc", (PyCFunction)hub_pause_gc, METH_NOARGS, DOC_HubOps_pause_gc},
    {"resume_gc", (PyCFunction)hub_resume_gc, METH_NOARGS, DOC_HubOps_resume_gc},
    {"begin_round", (PyCFunction)begin_round, METH_O, DOC_HubOps_begin_round},
    {"end_round", (PyCFunction)end_round, METH_NOARGS, DOC_HubOps_end_round},
    {"turn_begins", (PyCFunction)turn_begins_, METH_NOARGS, DOC_HubOps_turn_begins},
    {"begin_slice", (PyCFunction)begin_slice, METH_O, DOC_HubOps_begin_slice},
    {"slice_age", (PyCFunction)slice_age, METH_NOARGS, DOC_HubOps_slice_age},
    {"switch", switch_, METH_NOARGS, DOC_HubOps_switch},
    {NULL, NULL, 0, NULL},
};

#define HUB(name) {#name, T_OBJECT_EX, offsetof(Hub, name), 0, NULL}

static PyMemberDef hub_members[] = {
    HUB(idle), HUB(runners), HUB(regs), HUB(now), HUB(post), HUB(main), HUB(task),
    {"_enter", T_OBJECT_EX, offsetof(Hub, enter), 0, NULL},
    {"ready", T_OBJECT_EX, offsetof(Hub, ready), READONLY, NULL},
    {"runner_refs", T_PYSSIZET, offsetof(Hub, runner_refs), 0, NULL},
    {"switches_left", T_PYSSIZET, offsetof(Hub, switches_left), 0, NULL},
    {"granted", T_PYSSIZET, offsetof(Hub, granted), 0, NULL},
    {"switches", T_ULONGLONG, offsetof(Hub, switches), 0, NULL},
    {"rounds", T_ULONGLONG, offsetof(Hub, rounds), 0, NULL},
    {"timed", T_BOOL, offsetof(Hub, timed), 0, NULL},
    {"awake_ident", T_ULONG, offsetof(Hub, awake_ident), 0, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(Hub, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Hub, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot hub_slots[] = {
    {Py_tp_doc, DOC_HubOps},
    {Py_tp_new, hub_new},
    {Py_tp_methods, hub_methods},
    {Py_tp_members, hub_members},
    {Py_tp_traverse, hub_traverse},
    {Py_tp_clear, hub_clear},
    {Py_tp_dealloc, hub_dealloc},
    {0, NULL},
};

static PyType_Spec hub_spec = BASE_CLASS(HubOps, Hub, hub_slots);

int
add_hubs(PyObject *module)
{
    HubType = make_type(module, &hub_spec, NULL);
    return HubType == NULL ? -1 : 0;
}
