/* Registrations of descriptors (greening/_core/registration.py): which tasks wait, and what an event does. */
#include "accelerator.h"

PyTypeObject *RegistrationType;

/* Events of poll(2) and epoll(7): the same numbers as in greening/_core/poller.py. */
enum { IN = 0x001, PRI = 0x002, OUT = 0x004, ERR = 0x008, HUP = 0x010, NVAL = 0x020, RDHUP = 0x2000 };
/* Events that wake a reader. */
enum { READ = IN | PRI | RDHUP | HUP | ERR | NVAL };

static int
has_tasks(PyObject *lot)
{
    return IS(lot, LotType) && ((Lot *)lot)->size > 0;
}

static PyObject *
reg_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Registration *self = (Registration *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self != NULL) {
        self->owner = Py_NewRef(Py_None);
        self->readers = Py_NewRef(Py_None);
        self->writers = Py_NewRef(Py_None);
    }
    return (PyObject *)self;
}

static int
reg_traverse(Registration *self, visitproc visit, void *arg)
{
    Py_VISIT(TYPE(self));
    Py_VISIT(self->owner);
    Py_VISIT(self->readers);
    Py_VISIT(self->writers);
    return 0;
}

static int
reg_clear(Registration *self)
{
    Py_CLEAR(self->owner);
    Py_CLEAR(self->readers);
    Py_CLEAR(self->writers);
    return 0;
}

DEFINE_DEALLOC(reg_dealloc, Registration, reg_clear)

/* What is done for every wait */

static long
wanted(Registration *self)
{
    return (has_tasks(self->readers) ? IN | PRI | RDHUP : 0) | (has_tasks(self->writers) ? OUT : 0);
}

static PyObject *
get_wanted(Registration *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(wanted(self));
}

/* Make a lot if there is none. -1: error. */
static int
make_lot(PyObject **place)
{
    if (IS(*place, LotType))
        return 0;
    PyObject *made = (PyObject *)lot_new(); /* may run a finaliser, which may come here, too: its lot stays */
    if (made == NULL)
        return -1;
    if (!IS(*place, LotType))
        SET(*place, made);
    Py_DECREF(made);
    return 0;
}

static int
take_news_of(Registration *self, long mask)
{
    int news = ((mask & READ) && self->read_news) || ((mask & OUT) && self->write_news);
    if (mask & READ)
        self->read_news = 0;
    if (mask & OUT)
        self->write_news = 0;
    return news;
}

/* Let `task` wait for events of `mask`; with `looks` only if none has come. 1: it waits, 0: it does not, -1: error. */
static int
enter_lots(Registration *self, PyObject *task, long mask, int looks)
{
    if (((mask & READ) && make_lot(&self->readers) < 0) || ((mask & OUT) && make_lot(&self->writers) < 0))
        return -1;
    if (looks && self->edge && take_news_of(self, mask))
        return 0;
    if (((mask & READ) && lot_append((Lot *)self->readers, task) < 0) ||
        ((mask & OUT) && lot_append((Lot *)self->writers, task) < 0))
        return -1;
    return 1;
}

/* Registration.enter_unless_news. 1: the task is PARKED and waits, 0: an event has come since the last try, -1: error. */
int
registration_enter_unless_news(Registration *self, Task *task, long mask)
{
    int entered = enter_lots(self, (PyObject *)task, mask, 1);
    if (entered > 0) {
        SET(task->state, PARKED);
        if (journal_on)
            journal_note(NOTE_WAIT_FD, task->serial, (unsigned long long)self->fd, (unsigned long long)mask, NULL);
    }
    return entered;
}

/* The task and the events of a call; -1: error. */
static long
parse_wait(PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !IS(args[0], TaskType)) {
        PyErr_SetString(PyExc_TypeError, "a task and events are needed");
        return -1;
    }
    return PyLong_AsLong(args[1]);
}

/* enter(task, mask) */
static PyObject *
enter(Registration *self, PyObject *const *args, Py_ssize_t count)
{
    long mask = parse_wait(args, count);
    if ((mask == -1 && PyErr_Occurred()) || enter_lots(self, args[0], mask, 0) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* enter_unless_news(task, mask) */
static PyObject *
enter_unless_news(Registration *self, PyObject *const *args, Py_ssize_t count)
{
    long mask = parse_wait(args, count);
    int entered =
        mask == -1 && PyErr_Occurred() ? -1 : registration_enter_unless_news(self, (Task *)args[0], mask);
    return entered < 0 ? NULL : PyBool_FromLong(entered);
}

static PyObject *
leave(Registration *self, PyObject *task)
{
    if (has_tasks(self->readers))
        lot_leave((Lot *)self->readers, task);
    if (has_tasks(self->writers))
        lot_leave((Lot *)self->writers, task);
    Py_RETURN_NONE;
}

static PyObject *
take_news(Registration *self, PyObject *events)
{
    long mask = PyLong_AsLong(events);
    if (mask == -1 && PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(take_news_of(self, mask));
}

/* `dispatch` for one event of a registration. 1: done, 0: the twin has to do it, -1: error. */
static int
dispatch_one(Registration *reg, PyObject *event, long mask)
{
    if (mask & NVAL)
        return 0;
    reg->drained = 0;
    if (mask & (PRI | RDHUP | HUP | ERR))
        reg->stream = 0;
    PyObject *value = PyTuple_GetItem(event, 1);
    if (mask & READ) {
        reg->read_news = 1;
        if (IS(reg->readers, LotType) && lot_unpark_all((Lot *)reg->readers, value) < 0)
            return -1;
    }
    if (mask & (OUT | HUP | ERR)) {
        reg->write_news = 1;
        if (IS(reg->writers, LotType) && lot_unpark_all((Lot *)reg->writers, value) < 0)
            return -1;
    }
    return reg->edge || !wanted(reg); /* one-shot: if tasks still wait, the twin arms it again */
}

/* `dispatch` for one event, of any kind. -1: error. */
static int
dispatch_event(PyObject *regs, PyObject *event, PyObject *registry)
{
    if (!PyTuple_Check(event) || PyTuple_Size(event) != 2) {
        PyErr_SetString(PyExc_TypeError, "an event is a tuple of two");
        return -1;
    }
    long mask = PyLong_AsLong(PyTuple_GetItem(event, 1));
    if (mask == -1 && PyErr_Occurred())
        return -1;
    PyObject *reg = PyDict_GetItemWithError(regs, PyTuple_GetItem(event, 0));
    if (reg == NULL && PyErr_Occurred())
        return -1;
    int done = 0;
    if (IS(reg, RegistrationType)) {
        Py_INCREF(reg);
        done = dispatch_one((Registration *)reg, event, mask);
        Py_DECREF(reg);
    }
    if (done != 0)
        return done;
    static Twin twin;
    PyObject *one = twin_of(&twin, NULL, "dispatch") == NULL ? NULL : Py_BuildValue("[O]", event);
    PyObject *result = one == NULL ? NULL : PyObject_CallFunctionObjArgs(twin.function, registry, one, NULL);
    Py_XDECREF(one);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* dispatch(registry, events). The twin handles the rare events. */
static PyObject *
dispatch(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyList_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "dispatch() takes a registry and a list of events");
        return NULL;
    }
    PyObject *registry = args[0], *events = args[1];
    PyObject *regs = PyObject_GetAttr(registry, N_regs);
    if (regs == NULL || !PyDict_Check(regs)) {
        if (regs != NULL)
            PyErr_SetString(PyExc_TypeError, "the registrations are in a dictionary");
        Py_XDECREF(regs);
        return NULL;
    }
    int failed = 0;
    for (Py_ssize_t i = 0; i < PyList_Size(events) && !failed; i++) {
        PyObject *event = Py_NewRef(PyList_GetItem(events, i)); /* code that runs meanwhile may empty the list */
        failed = dispatch_event(regs, event, registry) < 0;
        Py_DECREF(event);
    }
    Py_DECREF(regs);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

#define REG(name, type) {#name, type, offsetof(Registration, name), 0, NULL}

static PyMemberDef reg_members[] = {
    REG(owner, T_OBJECT_EX), REG(readers, T_OBJECT_EX), REG(writers, T_OBJECT_EX), REG(fd, T_INT),
    REG(drained, T_BOOL), REG(recheck_due, T_BOOL), REG(edge, T_BOOL), REG(stream, T_BOOL),
    REG(read_news, T_BOOL), REG(write_news, T_BOOL),
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef reg_getters[] = {
    {"wanted", (getter)get_wanted, NULL, "The events that tasks wait for.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef reg_methods[] = {
    {"enter", FAST(enter), DOC_RegistrationOps_enter},
    {"enter_unless_news", FAST(enter_unless_news), DOC_RegistrationOps_enter_unless_news},
    {"leave", (PyCFunction)leave, METH_O, DOC_RegistrationOps_leave},
    {"take_news", (PyCFunction)take_news, METH_O, DOC_RegistrationOps_take_news},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot reg_slots[] = {
    {Py_tp_doc, DOC_RegistrationOps},
    {Py_tp_new, reg_new},
    {Py_tp_members, reg_members},
    {Py_tp_getset, reg_getters},
    {Py_tp_methods, reg_methods},
    {Py_tp_traverse, reg_traverse},
    {Py_tp_clear, reg_clear},
    {Py_tp_dealloc, reg_dealloc},
    {0, NULL},
};

static PyType_Spec reg_spec = BASE_CLASS(RegistrationOps, Registration, reg_slots);

static PyMethodDef functions[] = {
    {"dispatch", (PyCFunction)(void (*)(void))dispatch, METH_FASTCALL, DOC_dispatch},
    {NULL, NULL, 0, NULL},
};

int
add_registrations(PyObject *module)
{
    RegistrationType = make_type(module, &reg_spec, NULL);
    return RegistrationType == NULL ? -1 : PyModule_AddFunctions(module, functions);
}
