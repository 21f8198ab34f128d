/* The journal (greening/_core/journal.py): a ring of what the tasks did last, while somebody wants to know. */
#include "accelerator.h"

int journal_is_on;

typedef struct {
    unsigned long long when; /* in ticks */
    unsigned long long subject, other, extra;
    PyObject *label; /* NULL: none */
    long kind;
} Entry;

typedef struct {
    PyObject_HEAD
    Entry *entries;
    Py_ssize_t room, next;    /* where the next entry goes */
    unsigned long long noted; /* entries since the beginning */
    unsigned long long began, began_nanoseconds;
    double ticks_per_nanosecond; /* measured at the end */
    PyObject *reason;
    char on;
} Journal;

/* The one that is written, while journal_on. */
static Journal *journal; /* a new reference */

void
journal_note(int kind, unsigned long long subject, unsigned long long other, unsigned long long extra, PyObject *label)
{
    Entry *entry = &journal->entries[journal->next];
    if (++journal->next == journal->room)
        journal->next = 0;
    journal->noted++;
    PyObject *before = entry->label;
    *entry = (Entry){ticks(), subject, other, extra, label == NULL ? NULL : Py_NewRef(label), kind};
    __builtin_prefetch(entry + 3, 1); /* the ring is larger than the caches */
    Py_XDECREF(before); /* text, numbers and code: to free it runs nothing */
}

/* The number of the task of the loop; 0: there is none. */
static unsigned long long
number_of_loop(PyObject *hub)
{
    PyObject *task = IS(hub, HubType) ? ((Hub *)hub)->task : NULL;
    return task != NULL && PyType_IsSubtype(TYPE(task), TaskType) ? ((Task *)task)->serial : 0;
}

void
journal_note_round(Hub *hub)
{
    journal_note(NOTE_ROUND, number_of_loop((PyObject *)hub), 0, 0, NULL);
}

/* Journal.note_park. -1: error. */
int
journal_note_park(Task *task, int yields)
{
    Entry *last = &journal->entries[(journal->next ? journal->next : journal->room) - 1];
    if (last->subject == task->serial && last->kind >= NOTE_WAIT && last->kind <= NOTE_WAIT_END && journal->noted)
        return 0;
    PyObject *label = NULL;
    if (!yields) {
        PyObject *reason = Py_NewRef(journal->reason);
        label = PyObject_CallNoArgs(reason);
        Py_DECREF(reason);
        if (label == NULL)
            return -1;
    }
    if (journal_on)
        journal_note(yields ? NOTE_YIELD : NOTE_WAIT, task->serial, 0, 0, label);
    Py_XDECREF(label);
    return 0;
}

/* Journal.note_run. */
void
journal_note_run(Task *task, int timed_out)
{
    PyObject *name = NULL;
    int how = timed_out;
    if (!IS_NONE(task->error)) {
        how = 2;
        name = PyObject_GetAttrString((PyObject *)Py_TYPE(task->error), "__name__");
        if (name == NULL)
            PyErr_Clear();
    }
    if (journal_on)
        journal_note(NOTE_RUN, task->serial, number_of_loop(task->hub), (unsigned long long)how, name);
    Py_XDECREF(name);
}

/* The name of a task: new reference. NULL with an error: a signal handler has raised it. */
PyObject *
journal_name(Task *task)
{
    if (task->name != NULL && PyObject_IsTrue(task->name) > 0)
        return Py_NewRef(task->name);
    PyObject *name = PyObject_GetAttr((PyObject *)task, N_name);
    if (name == NULL && PyErr_ExceptionMatches(PyExc_Exception)) { /* that of a `threading.Thread` is its program's */
        PyErr_Clear();
        name = Py_NewRef(EMPTY);
    }
    return name;
}

/* BEGIN. -1: an error that a signal handler has raised meanwhile. */
int
journal_note_begin(Task *task)
{
    PyObject *name = journal_name(task);
    if (name == NULL)
        return -1;
    if (journal_on)
        journal_note(NOTE_BEGIN, task->serial, number_of_loop(task->hub), 0, name);
    Py_DECREF(name);
    return 0;
}

/* END. */
void
journal_note_end(Task *task, PyObject *name)
{
    journal_note(NOTE_END, task->serial, number_of_loop(task->hub), 0, name);
}

/* What Python calls */

static int
number_of(PyObject *subject, unsigned long long *number)
{
    if (IS(subject, TaskType)) {
        *number = ((Task *)subject)->serial;
        return 0;
    }
    *number = PyLong_AsUnsignedLongLong(subject);
    return *number == (unsigned long long)-1 && PyErr_Occurred() ? -1 : 0;
}

static PyObject *
note(Journal *Py_UNUSED(self), PyObject *const *args, Py_ssize_t count)
{
    unsigned long long numbers[4] = {0, 0, 0, 0};
    if (count < 2 || count > 5) {
        PyErr_SetString(PyExc_TypeError, "note() takes a kind, a subject, two numbers and a label");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count && i < 4; i++)
        if (number_of(args[i], &numbers[i]) < 0)
            return NULL;
    if (journal_on)
        journal_note((int)numbers[0], numbers[1], numbers[2], numbers[3],
                     count < 5 || args[4] == Py_None ? NULL : args[4]);
    Py_RETURN_NONE;
}

static PyObject *
note_wake(Journal *Py_UNUSED(self), PyObject *const *args, Py_ssize_t count)
{
    unsigned long long kind, number;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "note_wake() takes a kind and a task");
        return NULL;
    }
    if (number_of(args[0], &kind) < 0 || number_of(args[1], &number) < 0)
        return NULL;
    if (journal_on)
        journal_note((int)kind, number, running_serial, 0, NULL);
    Py_RETURN_NONE;
}

static PyObject *
note_park(Journal *Py_UNUSED(self), PyObject *const *args, Py_ssize_t count)
{
    int yields = count == 2 && IS(args[0], TaskType) ? PyObject_IsTrue(args[1]) : -1;
    if (count != 2 || !IS(args[0], TaskType))
        PyErr_SetString(PyExc_TypeError, "note_park() takes a task and a truth value");
    if (yields < 0 || (journal_on && journal_note_park((Task *)args[0], yields) < 0))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
note_begin(Journal *Py_UNUSED(self), PyObject *task)
{
    if (!IS(task, TaskType))
        return PyErr_Format(PyExc_TypeError, "a task is needed, not %R", task);
    if (journal_on && journal_note_begin((Task *)task) < 0)
        return NULL;
    return journal_name((Task *)task);
}

static PyObject *
note_run(Journal *Py_UNUSED(self), PyObject *const *args, Py_ssize_t count)
{
    int timed_out = count == 2 && IS(args[0], TaskType) ? PyObject_IsTrue(args[1]) : -1;
    if (count != 2 || !IS(args[0], TaskType))
        PyErr_SetString(PyExc_TypeError, "note_run() takes a task and a truth value");
    if (timed_out < 0)
        return NULL;
    if (journal_on)
        journal_note_run((Task *)args[0], timed_out);
    Py_RETURN_NONE;
}

static PyObject *
number(Journal *Py_UNUSED(self), PyObject *task)
{
    unsigned long long found;
    return number_of(task, &found) < 0 ? NULL : PyLong_FromUnsignedLongLong(found);
}

static void
drop(Journal *self)
{
    Entry *entries = self->entries;
    self->entries = NULL;
    for (Py_ssize_t i = 0; entries != NULL && i < self->room; i++)
        Py_XDECREF(entries[i].label);
    PyMem_Free(entries);
    self->room = self->next = 0;
    self->noted = 0;
}

static PyObject *
begin(Journal *self, PyObject *args)
{
    Py_ssize_t room;
    PyObject *reason;
    if (!PyArg_ParseTuple(args, "nO", &room, &reason))
        return NULL;
    if (room < 1)
        return PyErr_Format(PyExc_ValueError, "there must be room for one entry at least, not for %zd", room);
    if (journal_on) {
        PyErr_SetString(PyExc_RuntimeError, "the journal is being written already");
        return NULL;
    }
    drop(self);
    self->entries = PyMem_Calloc((size_t)room, sizeof(Entry));
    if (self->entries == NULL)
        return PyErr_NoMemory();
    self->room = room;
    SET(self->reason, reason);
    self->began = ticks();
    self->began_nanoseconds = nanoseconds(CLOCK_MONOTONIC);
    Py_INCREF((PyObject *)self);
    Py_XDECREF((PyObject *)journal);
    journal = self;
    self->on = journal_is_on = 1;
    Py_RETURN_NONE;
}

static PyObject *
end(Journal *self, PyObject *Py_UNUSED(unused))
{
    if (self->on) {
        double elapsed = (double)(nanoseconds(CLOCK_MONOTONIC) - self->began_nanoseconds);
        self->ticks_per_nanosecond = elapsed > 0 ? (double)(ticks() - self->began) / elapsed : 1.0;
        self->on = journal_is_on = 0;
        Py_CLEAR(self->reason);
    }
    Py_RETURN_NONE;
}

static PyObject *
clear(Journal *self, PyObject *unused)
{
    Py_DECREF(end(self, unused));
    drop(self);
    Py_RETURN_NONE;
}

static Py_ssize_t
length(Journal *self)
{
    return self->noted < (unsigned long long)self->room ? (Py_ssize_t)self->noted : self->room;
}

static PyObject *
item(Journal *self, Py_ssize_t index)
{
    if (index < 0 || index >= length(self)) {
        PyErr_SetString(PyExc_IndexError, "there are not so many entries in the journal");
        return NULL;
    }
    if (self->noted > (unsigned long long)self->room)
        index = (index + self->next) % self->room;
    Entry *entry = &self->entries[index];
    double scale = self->on || self->ticks_per_nanosecond <= 0 ? 1.0 : self->ticks_per_nanosecond;
    unsigned long long when = (unsigned long long)((double)(entry->when - self->began) / scale);
    return Py_BuildValue("(KlKKKO)", when, entry->kind, entry->subject, entry->other, entry->extra,
                         entry->label == NULL ? Py_None : entry->label);
}

static void
dealloc(Journal *self)
{
    PyTypeObject *type = TYPE(self);
    drop(self);
    Py_CLEAR(self->reason);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"begin", (PyCFunction)begin, METH_VARARGS, DOC_Journal_begin},
    {"end", (PyCFunction)end, METH_NOARGS, DOC_Journal_end},
    {"clear", (PyCFunction)clear, METH_NOARGS, DOC_Journal_clear},
    {"number", (PyCFunction)number, METH_O, DOC_Journal_number},
    {"note", FAST(note), DOC_Journal_note},
    {"note_wake", FAST(note_wake), DOC_Journal_note_wake},
    {"note_park", FAST(note_park), DOC_Journal_note_park},
    {"note_begin", (PyCFunction)note_begin, METH_O, DOC_Journal_note_begin},
    {"note_run", FAST(note_run), DOC_Journal_note_run},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"on", T_BOOL, offsetof(Journal, on), READONLY, "Whether it is written."},
    {"noted", T_ULONGLONG, offsetof(Journal, noted), READONLY, "Entries that were written since `begin`."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, DOC_Journal},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_dealloc, dealloc},
    {Py_sq_length, length},
    {Py_sq_item, item},
    {0, NULL},
};

static PyType_Spec spec = {NAME_Journal, sizeof(Journal), 0, Py_TPFLAGS_DEFAULT, slots};

int
add_journal(PyObject *module)
{
    return make_type(module, &spec, NULL) == NULL ? -1 : 0;
}
