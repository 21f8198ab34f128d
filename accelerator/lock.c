/* Lock and RLock when no task has to wait. To wait is left to Python (greening/sync/lock.py). */
#include "accelerator.h"

static PyTypeObject *CellType, *LockType, *RLockType;

/* Cell: the state of a lock, and who has taken it. Under the GIL its methods are atomic for all OS threads. */

typedef struct {
    PyObject_HEAD
    unsigned long long holder; /* the serial number of the task that took it last; 0: unknown */
    char locked;
} Cell;

static void
take_cell(Cell *self)
{
    self->locked = 1;
    self->holder = running_serial;
}

static PyObject *
cell_acquire(Cell *self, PyObject *Py_UNUSED(blocking))
{
    if (self->locked)
        Py_RETURN_FALSE;
    take_cell(self);
    Py_RETURN_TRUE;
}

static PyObject *
cell_release(Cell *self, PyObject *Py_UNUSED(unused))
{
    if (!self->locked) {
        PyErr_SetString(PyExc_RuntimeError, "release unlocked lock");
        return NULL;
    }
    self->locked = 0;
    Py_RETURN_NONE;
}

static PyObject *
cell_locked(Cell *self, PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(self->locked);
}

static void
cell_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef cell_methods[] = {
    {"acquire", (PyCFunction)cell_acquire, METH_O, "acquire(False): take it; False: it is taken. It never waits."},
    {"release", (PyCFunction)cell_release, METH_NOARGS, "Open it. RuntimeError: it is open."},
    {"locked", (PyCFunction)cell_locked, METH_NOARGS, "Whether it is taken."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef cell_members[] = {
    {"holder", T_ULONGLONG, offsetof(Cell, holder), 0, "The serial number of the task that took it last; 0: unknown."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot cell_slots[] = {
    {Py_tp_doc, "The state of a lock."},
    {Py_tp_methods, cell_methods},
    {Py_tp_members, cell_members},
    {Py_tp_dealloc, cell_dealloc},
    {0, NULL},
};

static PyType_Spec cell_spec = {"greening._accelerator.Cell", sizeof(Cell), 0, Py_TPFLAGS_DEFAULT, cell_slots};

/* Lock */

typedef struct {
    PyObject_HEAD
    PyObject *real, *waiters; /* a Cell, or a real lock; a lot */
    PyObject *weakrefs;
} Lock;

/* The state, if it is a Cell. */
static Cell *
cell_of(Lock *lock)
{
    return lock->real != NULL && Py_TYPE(lock->real) == CellType ? (Cell *)lock->real : NULL;
}

static PyObject *
call_acquire(PyObject *lock, PyObject *blocking, PyObject *timeout)
{
    return PyObject_CallMethodObjArgs(lock, N__acquire, blocking, timeout, NULL);
}

/* Call a method of a state that is no Cell. AttributeError: there is none, a subclass has not called `__init__`. */
static PyObject *
call_real(Lock *lock, PyObject *method)
{
    PyObject *real = PyObject_GetAttr((PyObject *)lock, N__real);
    PyObject *result = real == NULL ? NULL : PyObject_CallMethodObjArgs(real, method, NULL);
    Py_XDECREF(real);
    return result;
}

static PyObject *MINUS_ONE;

/* Whether a task waits. If a user's class has removed the lot, the answer is yes: Python then has the error. */
static int
has_waiters(PyObject *waiters)
{
    return !IS(waiters, LotType) || ((Lot *)waiters)->size > 0;
}

static PyObject *
lock_enter(Lock *self, PyObject *Py_UNUSED(unused))
{
    if (fairness_tick() < 0)
        return NULL;
    Cell *cell = cell_of(self);
    if (cell == NULL || cell->locked)
        return call_acquire((PyObject *)self, Py_True, MINUS_ONE);
    take_cell(cell);
    Py_RETURN_TRUE;
}

static PyObject *
lock_acquire(Lock *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"blocking", "timeout", NULL};
    PyObject *blocking = Py_True, *timeout = MINUS_ONE;
    if ((kwargs != NULL || PyTuple_Size(args) > 0) &&
        !PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:acquire", names, &blocking, &timeout))
        return NULL;
    int waits = PyObject_IsTrue(blocking);
    if (waits < 0 || fairness_tick() < 0)
        return NULL;
    Cell *cell = timeout == MINUS_ONE ? cell_of(self) : NULL;
    if (cell != NULL && (!cell->locked || !waits)) {
        if (cell->locked)
            Py_RETURN_FALSE;
        take_cell(cell);
        Py_RETURN_TRUE;
    }
    return call_acquire((PyObject *)self, blocking, timeout);
}

/* Hand the lock to the first waiter: atomic. 1: done, 0: none waits, -1: error. */
static int
hand_over(Cell *cell, Lot *waiters)
{
    Task *task = lot_choose(waiters, Py_None);
    if (task == NULL)
        return 0;
    cell->holder = task->serial;
    int resumed = task_make_ready(task);
    Py_DECREF((PyObject *)task);
    return resumed < 0 ? -1 : 1;
}

static PyObject *
lock_release(Lock *self, PyObject *Py_UNUSED(unused))
{
    Cell *cell = cell_of(self);
    if (has_waiters(self->waiters)) {
        int given = cell != NULL && cell->locked && IS(self->waiters, LotType)
                        ? hand_over(cell, (Lot *)self->waiters) : 0;
        if (given < 0)
            return NULL;
        if (given > 0)
            Py_RETURN_NONE;
        return PyObject_CallMethodObjArgs((PyObject *)self, N__hand_over, NULL);
    }
    if (cell != NULL)
        return cell_release(cell, NULL);
    return call_real(self, N_release);
}

static PyObject *
lock_exit(Lock *self, PyObject *Py_UNUSED(args))
{
    return lock_release(self, NULL);
}

static PyObject *
lock_locked(Lock *self, PyObject *Py_UNUSED(unused))
{
    Cell *cell = cell_of(self);
    return cell != NULL ? PyBool_FromLong(cell->locked) : call_real(self, N_locked);
}

static int
lock_traverse(Lock *self, visitproc visit, void *arg)
{
    Py_VISIT(TYPE(self));
    Py_VISIT(self->real);
    Py_VISIT(self->waiters);
    return 0;
}

static int
lock_clear(Lock *self)
{
    Py_CLEAR(self->real);
    Py_CLEAR(self->waiters);
    return 0;
}

DEFINE_DEALLOC_WEAK(lock_dealloc, Lock, lock_clear, weakrefs)

#define VARKEYS(function) (PyCFunction)(void (*)(void))function, METH_VARARGS | METH_KEYWORDS

static PyMethodDef lock_methods[] = {
    {"acquire", VARKEYS(lock_acquire), DOC_LockOps_acquire},
    {"acquire_lock", VARKEYS(lock_acquire), DOC_LockOps_acquire_lock},
    {"release", (PyCFunction)lock_release, METH_NOARGS, DOC_LockOps_release},
    {"release_lock", (PyCFunction)lock_release, METH_NOARGS, DOC_LockOps_release_lock},
    {"locked", (PyCFunction)lock_locked, METH_NOARGS, DOC_LockOps_locked},
    {"locked_lock", (PyCFunction)lock_locked, METH_NOARGS, DOC_LockOps_locked_lock},
    {"__enter__", (PyCFunction)lock_enter, METH_NOARGS, DOC_LockOps___enter__},
    {"__exit__", (PyCFunction)lock_exit, METH_VARARGS, DOC_LockOps___exit__},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef lock_members[] = {
    {"_real", T_OBJECT_EX, offsetof(Lock, real), 0, NULL},
    {"_waiters", T_OBJECT_EX, offsetof(Lock, waiters), 0, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Lock, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot lock_slots[] = {
    {Py_tp_doc, DOC_LockOps},
    {Py_tp_methods, lock_methods},
    {Py_tp_members, lock_members},
    {Py_tp_traverse, lock_traverse},
    {Py_tp_clear, lock_clear},
    {Py_tp_dealloc, lock_dealloc},
    {0, NULL},
};

static PyType_Spec lock_spec = BASE_CLASS(LockOps, Lock, lock_slots);

/* RLock */

typedef struct {
    PyObject_HEAD
    PyObject *owner, *waiters; /* the greenlet that has it, or None; a lot */
    Py_ssize_t count;
    PyObject *weakrefs;
} RLock;

static PyObject *
rlock_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    RLock *self = (RLock *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self != NULL)
        self->owner = Py_NewRef(Py_None);
    return (PyObject *)self;
}

/* The running greenlet, borrowed: it runs, so it lives. NULL without an error: there are no greenlets any more. */
static PyObject *
me_(void)
{
    PyObject *me = running_greenlet();
    if (me == NULL)
        PyErr_Clear();
    Py_XDECREF(me);
    return me;
}

/* Call a method of the twin: the interpreter ends, or the lock is taken. */
static PyObject *
call_twin(Twin *twin, const char *method, RLock *self, PyObject *first, PyObject *second)
{
    if (twin_of(twin, "RLockOps", method) == NULL)
        return NULL;
    return PyObject_CallFunctionObjArgs(twin->function, (PyObject *)self, first, second, NULL);
}

static Twin slow_acquire, slow_release, slow_restore;

/* Take it if it is free or the caller's. To wait, and a timeout, are left to Python. `blocking`: True or False. */
static PyObject *
rlock_take(RLock *self, PyObject *blocking, PyObject *timeout)
{
    PyObject *me = me_();
    if (me == NULL)
        return call_twin(&slow_acquire, "acquire", self, blocking, timeout);
    if (self->owner == me) {
        self->count++;
        Py_RETURN_TRUE;
    }
    if (self->waiters == NULL) { /* a subclass has not called `RLock.__init__` */
        PyErr_SetString(PyExc_AttributeError, "_waiters");
        return NULL;
    }
    if (fairness_tick() < 0)
        return NULL;
    if (timeout == MINUS_ONE && self->owner == Py_None) {
        SET(self->owner, me);
        self->count = 1;
        Py_RETURN_TRUE;
    }
    if (timeout == MINUS_ONE && blocking == Py_False)
        Py_RETURN_FALSE;
    return PyObject_CallMethodObjArgs((PyObject *)self, N__acquire, me, blocking, timeout, NULL);
}

static PyObject *
rlock_enter(RLock *self, PyObject *Py_UNUSED(unused))
{
    return rlock_take(self, Py_True, MINUS_ONE);
}

static PyObject *
rlock_acquire(RLock *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"blocking", "timeout", NULL};
    PyObject *blocking = Py_True, *timeout = MINUS_ONE;
    if ((kwargs != NULL || PyTuple_Size(args) > 0) &&
        !PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:acquire", names, &blocking, &timeout))
        return NULL;
    int waits = PyObject_IsTrue(blocking);
    return waits < 0 ? NULL : rlock_take(self, waits ? Py_True : Py_False, timeout);
}

/* Hand it to the first waiter, or free it: atomic. 1: done, 0: Python has to do it, -1: error. */
static int
rlock_hand_over(RLock *self)
{
    if (!IS(self->waiters, LotType))
        return 0;
    Lot *waiters = (Lot *)self->waiters;
    if (waiters->size > 0) {
        Task *first = (Task *)waiters->tasks[0];
        PyObject *resume = first->resume;
        PyObject *glet = resume != NULL && PyCFunction_Check(resume) ? PyCFunction_GetSelf(resume) : NULL;
        if (first->state != PARKED || glet == NULL || !is_greenlet(glet))
            return 0;
        Task *task = lot_choose(waiters, Py_None);
        SET(self->owner, glet);
        self->count = 1;
        int resumed = task_make_ready(task);
        Py_DECREF((PyObject *)task);
        return resumed < 0 ? -1 : 1;
    }
    self->count = 0;
    SET(self->owner, Py_None);
    return 1;
}

static PyObject *
rlock_release(RLock *self, PyObject *Py_UNUSED(unused))
{
    PyObject *me = me_();
    if (me == NULL)
        return call_twin(&slow_release, "release", self, NULL, NULL);
    if (self->owner != me) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    if (self->count > 1) {
        self->count--;
        Py_RETURN_NONE;
    }
    int done = rlock_hand_over(self);
    if (done < 0)
        return NULL;
    if (done > 0)
        Py_RETURN_NONE;
    return PyObject_CallMethodObjArgs((PyObject *)self, N__hand_over, NULL);
}

static PyObject *
rlock_exit(RLock *self, PyObject *Py_UNUSED(args))
{
    return rlock_release(self, NULL);
}

static PyObject *
rlock_is_owned(RLock *self, PyObject *Py_UNUSED(unused))
{
    PyObject *me = me_();
    return PyBool_FromLong(me == NULL ? self->count > 0 : self->owner == me);
}

/* What threading.Condition calls */

static PyObject *
rlock_release_save(RLock *self, PyObject *Py_UNUSED(unused))
{
    if (self->owner == NULL || self->owner == Py_None) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    PyObject *state = Py_BuildValue("(nO)", self->count, self->owner);
    int done = state == NULL ? -1 : rlock_hand_over(self);
    if (done == 0) {
        PyObject *handed = PyObject_CallMethodObjArgs((PyObject *)self, N__hand_over, NULL);
        Py_XDECREF(handed);
        done = handed == NULL ? -1 : 1;
    }
    if (done < 0)
        Py_CLEAR(state);
    return state;
}

static PyObject *
rlock_acquire_restore(RLock *self, PyObject *state)
{
    PyObject *type = NULL, *error = NULL, *trace = NULL;
    int failed = fairness_tick() < 0;
    Py_ssize_t count;
    PyObject *owner;
    if (!failed && self->owner == Py_None && PyTuple_Check(state) && PyArg_ParseTuple(state, "nO", &count, &owner)) {
        self->count = count;
        SET(self->owner, owner);
        Py_RETURN_NONE;
    }
    if (!failed && (self->waiters == NULL || !PyObject_HasAttr((PyObject *)self, N__acquire))) {
        PyErr_SetString(PyExc_AttributeError, "_acquire"); /* this is no RLock: Python would try to take it for ever */
        return NULL;
    }
    /* It is taken, or this call was interrupted: Python takes the lock all the same, before the error is raised. */
    PyErr_Fetch(&type, &error, &trace);
    PyObject *done = call_twin(&slow_restore, "_acquire_restore", self, state, NULL);
    if (done == NULL || !failed) {
        Py_XDECREF(type);
        Py_XDECREF(error);
        Py_XDECREF(trace);
        return done;
    }
    Py_DECREF(done);
    PyErr_Restore(type, error, trace);
    return NULL;
}

static int
rlock_traverse(RLock *self, visitproc visit, void *arg)
{
    Py_VISIT(TYPE(self));
    Py_VISIT(self->waiters);
    Py_VISIT(self->owner);
    return 0;
}

static int
rlock_clear(RLock *self)
{
    Py_CLEAR(self->waiters);
    Py_CLEAR(self->owner);
    return 0;
}

DEFINE_DEALLOC_WEAK(rlock_dealloc, RLock, rlock_clear, weakrefs)

static PyMethodDef rlock_methods[] = {
    {"acquire", VARKEYS(rlock_acquire), DOC_RLockOps_acquire},
    {"release", (PyCFunction)rlock_release, METH_NOARGS, DOC_RLockOps_release},
    {"__enter__", (PyCFunction)rlock_enter, METH_NOARGS, DOC_RLockOps___enter__},
    {"__exit__", (PyCFunction)rlock_exit, METH_VARARGS, DOC_RLockOps___exit__},
    {"_is_owned", (PyCFunction)rlock_is_owned, METH_NOARGS, DOC_RLockOps__is_owned},
    {"_release_save", (PyCFunction)rlock_release_save, METH_NOARGS, DOC_RLockOps__release_save},
    {"_acquire_restore", (PyCFunction)rlock_acquire_restore, METH_O, DOC_RLockOps__acquire_restore},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef rlock_members[] = {
    {"_waiters", T_OBJECT_EX, offsetof(RLock, waiters), 0, NULL},
    {"_owner", T_OBJECT_EX, offsetof(RLock, owner), 0, NULL},
    {"_count", T_PYSSIZET, offsetof(RLock, count), 0, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(RLock, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot rlock_slots[] = {
    {Py_tp_doc, DOC_RLockOps},
    {Py_tp_new, rlock_new},
    {Py_tp_methods, rlock_methods},
    {Py_tp_members, rlock_members},
    {Py_tp_traverse, rlock_traverse},
    {Py_tp_clear, rlock_clear},
    {Py_tp_dealloc, rlock_dealloc},
    {0, NULL},
};

static PyType_Spec rlock_spec = BASE_CLASS(RLockOps, RLock, rlock_slots);

int
add_locks(PyObject *module)
{
    MINUS_ONE = PyLong_FromLong(-1);
    CellType = make_type(module, &cell_spec, NULL);
    LockType = make_type(module, &lock_spec, NULL);
    RLockType = make_type(module, &rlock_spec, NULL);
    return !MINUS_ONE || !CellType || !LockType || !RLockType ? -1 : 0;
}
