/* Lot: the queue of parked tasks (greening/_core/parking_lot.py). Under the GIL each function is atomic. */
#include "accelerator.h"
#include <string.h>

PyTypeObject *LotType;
/* Set by Python: ParkingLot, and the functions for rare cases (greening/_core/parking_lot.py). */
static PyTypeObject *lot_class;
static PyObject *deadline_in, *enter_oddly, *abandon;

/* Make room for one more. -1: error. */
static int
reserve(Lot *lot)
{
    if (lot->size < lot->capacity)
        return 0;
    Py_ssize_t capacity = lot->capacity ? lot->capacity * 4 : 1;
    PyObject **tasks;
    if (capacity == 1)
        tasks = &lot->one;
    else {
        tasks = PyMem_Malloc((size_t)capacity * sizeof(PyObject *));
        if (tasks == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(tasks, lot->tasks, (size_t)lot->size * sizeof(PyObject *));
        if (lot->tasks != &lot->one)
            PyMem_Free(lot->tasks);
    }
    lot->tasks = tasks;
    lot->capacity = capacity;
    return 0;
}

static int
insert_at(Lot *lot, Py_ssize_t index, PyObject *task)
{
    if (reserve(lot) < 0)
        return -1;
    memmove(lot->tasks + index + 1, lot->tasks + index, (size_t)(lot->size - index) * sizeof(PyObject *));
    lot->tasks[index] = Py_NewRef(task);
    lot->size++;
    return 0;
}

/* Take the task at `index` out, and give the lot's reference to the caller. */
static PyObject *
take_out(Lot *lot, Py_ssize_t index)
{
    PyObject *task = lot->tasks[index];
    lot->size--;
    memmove(lot->tasks + index, lot->tasks + index + 1, (size_t)(lot->size - index) * sizeof(PyObject *));
    if (lot->size == 0 && lot->capacity > 64) {
        PyMem_Free(lot->tasks);
        lot->tasks = &lot->one;
        lot->capacity = 1;
    }
    return task;
}

Lot *
lot_new(void)
{
    PyTypeObject *type = lot_class == NULL ? LotType : lot_class;
    return (Lot *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
}

int
lot_append(Lot *lot, PyObject *task)
{
    return insert_at(lot, lot->size, task);
}

int
lot_leave(Lot *lot, PyObject *task)
{
    for (Py_ssize_t i = 0; i < lot->size; i++) {
        if (lot->tasks[i] == task) {
            Py_DECREF(take_out(lot, i)); /* the caller has it as well */
            return 1;
        }
    }
    return 0;
}

Task *
lot_choose(Lot *lot, PyObject *value)
{
    Py_ssize_t index = 0;
    while (index < lot->size) {
        Task *task = (Task *)lot->tasks[index];
        if (task->state == PARKED) {
            take_out(lot, index);
            SET(task->state, READY);
            SET(task->value, value);
            return task;
        }
        if (task->state == DEAD) /* its OS thread ended, or it stayed behind in the parent of a fork */
            Py_DECREF(take_out(lot, index));
        else /* interrupted, or its time is up: it leaves by itself */
            index++;
    }
    return NULL;
}

int
lot_unpark(Lot *lot, PyObject *value)
{
    Task *task = lot_choose(lot, value);
    if (task == NULL)
        return 0;
    int resumed = task_make_ready(task);
    Py_DECREF((PyObject *)task);
    return resumed < 0 ? -1 : 1;
}

int
lot_unpark_all(Lot *lot, PyObject *value)
{
    int unparked = 1;
    while (lot->size > 0 && unparked > 0)
        unparked = lot_unpark(lot, value);
    return unparked;
}

/* Methods */

static int
check(PyObject *task)
{
    if (IS(task, TaskType))
        return 0;
    PyErr_Format(PyExc_TypeError, "a task is needed, not %R", task);
    return -1;
}

static PyObject *
append(Lot *self, PyObject *task)
{
    if (check(task) < 0 || lot_append(self, task) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
insert(Lot *self, PyObject *args)
{
    Py_ssize_t index;
    PyObject *task;
    if (!PyArg_ParseTuple(args, "nO", &index, &task) || check(task) < 0)
        return NULL;
    index = index < 0 ? 0 : index > self->size ? self->size : index;
    if (insert_at(self, index, task) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
leave(Lot *self, PyObject *task)
{
    return PyBool_FromLong(lot_leave(self, task));
}

static PyObject *
choose(Lot *self, PyObject *const *args, Py_ssize_t count)
{
    Task *task = lot_choose(self, count ? args[0] : Py_None);
    return task == NULL ? Py_NewRef(Py_None) : (PyObject *)task;
}

static PyObject *
unpark(Lot *self, PyObject *const *args, Py_ssize_t count)
{
    Task *task = lot_choose(self, count ? args[0] : Py_None);
    if (task == NULL)
        Py_RETURN_NONE;
    if (task_make_ready(task) < 0) {
        Py_DECREF((PyObject *)task);
        return NULL;
    }
    return (PyObject *)task;
}

static PyObject *
unpark_all(Lot *self, PyObject *const *args, Py_ssize_t count)
{
    if (lot_unpark_all(self, count ? args[0] : Py_None) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* enter(task=None) */
static PyObject *
enter(Lot *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *task = count ? args[0] : Py_None;
    if (task == Py_None) {
        Task *running = running_task();
        if (running == NULL || running->state != RUNNING || IS_NONE(running->hub)) {
            Py_XDECREF((PyObject *)running);
            return told(enter_oddly) == NULL ? NULL : PyObject_CallFunctionObjArgs(enter_oddly, self, NULL);
        }
        if (lot_append(self, (PyObject *)running) < 0) {
            Py_DECREF((PyObject *)running);
            return NULL;
        }
        SET(running->state, PARKED);
        return (PyObject *)running;
    }
    if (check(task) < 0 || lot_append(self, task) < 0)
        return NULL;
    return Py_NewRef(task);
}

/* The wait ends in an exception, which is set: leave the lot, or pass on the value for which the task was chosen. */
static void
leave_and_pass_on(Lot *self, PyObject *task, PyObject *on_abandon)
{
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyObject *done = told(abandon) == NULL ? NULL : PyObject_CallFunctionObjArgs(abandon, self, task, on_abandon, NULL);
    if (done != NULL) {
        Py_DECREF(done);
        PyErr_Restore(type, error, trace);
        return;
    }
    /* To pass on has failed: raise that error, with the first one as its context. */
    PyErr_NormalizeException(&type, &error, &trace);
    PyObject *new_type, *new_error, *new_trace;
    PyErr_Fetch(&new_type, &new_error, &new_trace);
    PyErr_NormalizeException(&new_type, &new_error, &new_trace);
    if (error != NULL && new_error != NULL && new_error != error)
        PyException_SetContext(new_error, Py_NewRef(error));
    PyErr_Restore(new_type, new_error, new_trace);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(trace);
}

static PyObject *
wait_for(Lot *self, PyObject *task, PyObject *timeout, PyObject *on_abandon)
{
    PyObject *deadline = Py_NewRef(Py_None);
    if (timeout != Py_None) {
        Py_DECREF(deadline);
        deadline = told(deadline_in) == NULL ? NULL : PyObject_CallFunctionObjArgs(deadline_in, task, timeout, NULL);
    }
    PyObject *value = deadline == NULL ? NULL : task_park_running((Task *)task, deadline);
    Py_XDECREF(deadline);
    if (value == NULL)
        leave_and_pass_on(self, task, on_abandon);
    else if (value == TIMED_OUT)
        lot_leave(self, task);
    return value;
}

/* wait(task, timeout=None, on_abandon=None) */
static PyObject *
wait_(Lot *self, PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "wait() takes a task, a timeout and a function");
        return NULL;
    }
    if (check(args[0]) < 0)
        return NULL;
    return wait_for(self, args[0], count > 1 ? args[1] : Py_None, count > 2 ? args[2] : Py_None);
}

/* park(timeout=None, on_abandon=None) */
static PyObject *
park(Lot *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *task = enter(self, NULL, 0);
    if (task == NULL)
        return NULL;
    PyObject *value = wait_for(self, task, count > 0 ? args[0] : Py_None, count > 1 ? args[1] : Py_None);
    Py_DECREF(task);
    return value;
}

static Py_ssize_t
length(Lot *self)
{
    return self->size;
}

static PyObject *
item(Lot *self, Py_ssize_t index)
{
    if (index < 0 || index >= self->size) {
        PyErr_SetString(PyExc_IndexError, "there are not so many tasks in the lot");
        return NULL;
    }
    return Py_NewRef(self->tasks[index]);
}

static int
traverse(Lot *self, visitproc visit, void *arg)
{
    Py_VISIT(TYPE(self));
    for (Py_ssize_t i = 0; i < self->size; i++)
        Py_VISIT(self->tasks[i]);
    return 0;
}

static int
clear(Lot *self)
{
    while (self->size > 0)
        Py_DECREF(take_out(self, self->size - 1));
    return 0;
}

static void
dealloc(Lot *self)
{
    PyTypeObject *type = TYPE(self);
    PyObject_GC_UnTrack(self);
    clear(self);
    if (self->tasks != &self->one)
        PyMem_Free(self->tasks);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"append", (PyCFunction)append, METH_O, "Add a task at the end."},
    {"insert", (PyCFunction)insert, METH_VARARGS, "insert(index, task): add a task before another."},
    {"enter", FAST(enter), DOC_LotOps_enter},
    {"wait", FAST(wait_), DOC_LotOps_wait},
    {"park", FAST(park), DOC_LotOps_park},
    {"leave", (PyCFunction)leave, METH_O, DOC_LotOps_leave},
    {"choose", FAST(choose), DOC_LotOps_choose},
    {"unpark", FAST(unpark), DOC_LotOps_unpark},
    {"unpark_all", FAST(unpark_all), DOC_LotOps_unpark_all},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, DOC_LotOps},
    {Py_tp_methods, methods},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_dealloc, dealloc},
    {Py_sq_length, length},
    {Py_sq_item, item},
    {0, NULL},
};

static PyType_Spec spec = BASE_CLASS(LotOps, Lot, slots);

static PyObject *
make_ready(PyObject *Py_UNUSED(module), PyObject *task)
{
    if (check(task) < 0 || task_make_ready((Task *)task) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
tell_lot_class(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *type, *deadline, *oddly, *leave;
    if (!PyArg_ParseTuple(args, "OOOO", &type, &deadline, &oddly, &leave))
        return NULL;
    if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, LotType)) {
        PyErr_SetString(PyExc_TypeError, "the class of lots has other members");
        return NULL;
    }
    Py_INCREF(type);
    Py_XDECREF((PyObject *)lot_class);
    lot_class = (PyTypeObject *)type;
    SET(deadline_in, deadline);
    SET(enter_oddly, oddly);
    SET(abandon, leave);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"make_ready", make_ready, METH_O, DOC_make_ready},
    {"tell_lot_class", tell_lot_class, METH_VARARGS, "tell_lot_class(ParkingLot, deadline, enter_oddly, abandon): the class, and what is rare."},
    {NULL, NULL, 0, NULL},
};

int
add_lots(PyObject *module)
{
    LotType = make_type(module, &spec, NULL);
    return LotType == NULL ? -1 : PyModule_AddFunctions(module, functions);
}
