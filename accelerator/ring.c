/* Ring: the queue of runnable tasks, with as much of `collections.deque` as the engine uses. */
#include "accelerator.h"

PyTypeObject *RingType;

static PyObject **
slot(Ring *ring, Py_ssize_t index)
{
    return &ring->items[(ring->first + index) & (ring->capacity - 1)];
}

static int
grow(Ring *ring)
{
    Py_ssize_t capacity = ring->capacity ? ring->capacity * 2 : 64;
    PyObject **items = PyMem_Malloc((size_t)capacity * sizeof(PyObject *));
    if (items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < ring->length; i++)
        items[i] = *slot(ring, i);
    PyMem_Free(ring->items);
    ring->items = items;
    ring->capacity = capacity;
    ring->first = 0;
    return 0;
}

/* Items: an empty ring that has room for more frees its memory. */
enum { KEEP = 1024 };

static void
shrink(Ring *ring)
{
    if (ring->length == 0 && ring->capacity > KEEP) {
        PyMem_Free(ring->items);
        ring->items = NULL;
        ring->capacity = ring->first = 0;
    }
}

static int
check(PyObject *item)
{
    if (IS(item, TaskType))
        return 0;
    PyErr_Format(PyExc_TypeError, "a task is needed, not %R", item);
    return -1;
}

int
ring_append(Ring *ring, PyObject *item)
{
    if (ring->length == ring->capacity && grow(ring) < 0)
        return -1;
    *slot(ring, ring->length) = Py_NewRef(item);
    ring->length++;
    if (journal_on)
        journal_note(NOTE_READY, ((Task *)item)->serial, running_serial, 0, NULL);
    return 0;
}

PyObject *
ring_first(Ring *ring)
{
    return ring->length ? *slot(ring, 0) : NULL;
}

PyObject *
ring_popleft(Ring *ring)
{
    if (!ring->length)
        return NULL;
    PyObject *item = *slot(ring, 0);
    ring->first = (ring->first + 1) & (ring->capacity - 1);
    ring->length--;
    shrink(ring);
    return item;
}

static PyObject *
append(Ring *self, PyObject *item)
{
    if (check(item) < 0 || ring_append(self, item) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
appendleft(Ring *self, PyObject *item)
{
    if (check(item) < 0 || (self->length == self->capacity && grow(self) < 0))
        return NULL;
    self->first = (self->first - 1) & (self->capacity - 1);
    self->items[self->first] = Py_NewRef(item);
    self->length++;
    if (journal_on)
        journal_note(NOTE_READY, ((Task *)item)->serial, running_serial, 0, NULL);
    Py_RETURN_NONE;
}

static PyObject *
popleft(Ring *self, PyObject *Py_UNUSED(unused))
{
    PyObject *item = ring_popleft(self);
    if (item == NULL)
        PyErr_SetString(PyExc_IndexError, "pop from an empty ring");
    return item;
}

static PyObject *
pop(Ring *self, PyObject *Py_UNUSED(unused))
{
    if (!self->length) {
        PyErr_SetString(PyExc_IndexError, "pop from an empty ring");
        return NULL;
    }
    self->length--;
    PyObject *item = *slot(self, self->length);
    shrink(self);
    return item;
}

/* Take out the item at `index`, and give the ring's reference to the caller. */
static PyObject *
take_out(Ring *self, Py_ssize_t index)
{
    PyObject *item = *slot(self, index);
    if (index == 0)
        return ring_popleft(self);
    for (; index < self->length - 1; index++)
        *slot(self, index) = *slot(self, index + 1);
    self->length--;
    shrink(self);
    return item;
}

static PyObject *
ring_remove(Ring *self, PyObject *item)
{
    for (Py_ssize_t i = 0; i < self->length; i++) {
        if (*slot(self, i) == item) {
            Py_DECREF(take_out(self, i)); /* the caller has it as well */
            Py_RETURN_NONE;
        }
    }
    PyErr_SetString(PyExc_ValueError, "it is not in the ring");
    return NULL;
}

static PyObject *
rotate(Ring *self, PyObject *number)
{
    Py_ssize_t steps = PyLong_AsSsize_t(number);
    if (steps == -1 && PyErr_Occurred())
        return NULL;
    if (steps < 0 && self->length > 0)
        steps = self->length - -steps % self->length;
    for (; steps > 0 && self->length > 1; steps--) {
        PyObject *last = *slot(self, self->length - 1);
        self->first = (self->first - 1) & (self->capacity - 1);
        self->items[self->first] = last;
    }
    Py_RETURN_NONE;
}

static int
ring_clear(Ring *self)
{
    PyObject *item;
    while ((item = ring_popleft(self)) != NULL)
        Py_DECREF(item);
    return 0;
}

static PyObject *
clear(Ring *self, PyObject *Py_UNUSED(unused))
{
    ring_clear(self);
    Py_RETURN_NONE;
}

static Py_ssize_t
ring_length(Ring *self)
{
    return self->length;
}

static PyObject *
ring_item(Ring *self, Py_ssize_t index)
{
    if (index < 0 || index >= self->length) {
        PyErr_SetString(PyExc_IndexError, "ring index out of range");
        return NULL;
    }
    return Py_NewRef(*slot(self, index));
}

static int
ring_delete(Ring *self, Py_ssize_t index, PyObject *value)
{
    if (value != NULL || index < 0 || index >= self->length) {
        PyErr_SetString(value != NULL ? PyExc_TypeError : PyExc_IndexError, "only a task that is there can be taken out");
        return -1;
    }
    Py_DECREF(take_out(self, index));
    return 0;
}

static int
ring_traverse(Ring *self, visitproc visit, void *arg)
{
    Py_VISIT(TYPE(self));
    for (Py_ssize_t i = 0; i < self->length; i++)
        Py_VISIT(*slot(self, i));
    return 0;
}

static void
ring_dealloc(Ring *self)
{
    PyTypeObject *type = TYPE(self);
    PyObject_GC_UnTrack(self);
    ring_clear(self);
    PyMem_Free(self->items);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"append", (PyCFunction)append, METH_O, "Add a task at the end."},
    {"appendleft", (PyCFunction)appendleft, METH_O, "Add a task at the head."},
    {"popleft", (PyCFunction)popleft, METH_NOARGS, "Take the first. IndexError: there is none."},
    {"pop", (PyCFunction)pop, METH_NOARGS, "Take the last. IndexError: there is none."},
    {"remove", (PyCFunction)ring_remove, METH_O, "Take out the first that is this very task. ValueError: none is."},
    {"rotate", (PyCFunction)rotate, METH_O, "Move the last tasks, so many, to the head; below zero: the first to the tail."},
    {"clear", (PyCFunction)clear, METH_NOARGS, "Take out all."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The queue of runnable tasks: as much of collections.deque as the engine uses."},
    {Py_tp_methods, methods},
    {Py_tp_traverse, ring_traverse},
    {Py_tp_clear, ring_clear},
    {Py_tp_dealloc, ring_dealloc},
    {Py_sq_length, ring_length},
    {Py_sq_item, ring_item},
    {Py_sq_ass_item, ring_delete},
    {0, NULL},
};

static PyType_Spec spec = {
    "greening._accelerator.Ring", sizeof(Ring), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots,
};

int
add_ring(PyObject *module)
{
    RingType = make_type(module, &spec, NULL);
    return RingType == NULL ? -1 : 0;
}
