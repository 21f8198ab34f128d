/* recv, recv_into, send and sendall of sockets: the call that need not wait, and the read that has to.

   Each is a method of `_socket.socket`, as the interpreter's own are. It knows the Python function that it doubles, and
   calls it for everything but the frequent case. */
#include "accelerator.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* Bytes: a read of up to so many goes through one common buffer, and makes an object of just the right size. */
enum { ROOM = 65536 };
/* Bytes: a call for so many or more releases the GIL. */
enum { LONG_CALL = 262144 };

static char room[ROOM];

/* Set by Python: see `double_socket_methods`. There are no methods until all of these are set. */
static PyTypeObject *socket_type;
static PyObject *schedule_recheck, *get_fileno, *get_timeout, *timeouts, *interrupted;
static PyObject *slow_recv, *slow_recv_into, *slow_send, *slow_sendall, *send_rest, *sendall_rest;

/* The descriptor is the first member of the interpreter's socket object. CPython does not promise that: it is checked
   once, and where it does not hold, `fileno()` is called. */
static enum { UNKNOWN, HOLDS, HOLDS_NOT } first_member_is_fd;

static int
fd_of(PyObject *sock)
{
    int *member = (int *)((char *)sock + sizeof(PyObject));
    if (first_member_is_fd == HOLDS)
        return *member;
    PyObject *number = PyObject_CallFunctionObjArgs(get_fileno, sock, NULL);
    if (number == NULL)
        return -1;
    int fd = (int)PyLong_AsLong(number);
    Py_DECREF(number);
    if (first_member_is_fd == UNKNOWN && fd > 2)
        first_member_is_fd = *member == fd ? HOLDS : HOLDS_NOT;
    return fd;
}

/* The registration of a socket with a hub, borrowed from `regs`. NULL: there is none, or it is another socket's. */
static Registration *
registration_of(Hub *hub, PyObject *sock, int fd)
{
    PyObject *key = PyLong_FromLong(fd);
    if (key == NULL) {
        PyErr_Clear();
        return NULL;
    }
    PyObject *found = hub->regs != NULL && PyDict_Check(hub->regs) ? PyDict_GetItemWithError(hub->regs, key) : NULL;
    Py_DECREF(key);
    if (found == NULL || !IS(found, RegistrationType))
        return NULL;
    Registration *reg = (Registration *)found;
    if (IS_NONE(reg->owner) || !PyWeakref_CheckRef(reg->owner))
        return NULL;
    PyObject *owner = PyObject_CallNoArgs(reg->owner);
    Py_XDECREF(owner); /* it is `sock`, which the caller holds, or it is only compared */
    if (owner == NULL)
        PyErr_Clear();
    return owner == sock ? reg : NULL;
}

/* One recv(2) that cannot wait. -2: there is nothing to read (EAGAIN), -1: error. */
static Py_ssize_t
receive(int fd, void *buffer, size_t size)
{
    for (;;) {
        Py_ssize_t got;
        if (size < LONG_CALL)
            got = recv(fd, buffer, size, MSG_DONTWAIT);
        else {
            Py_BEGIN_ALLOW_THREADS
            got = recv(fd, buffer, size, MSG_DONTWAIT);
            Py_END_ALLOW_THREADS
        }
        if (got >= 0)
            return got;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return -2;
        if (errno != EINTR) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        if (PyErr_CheckSignals() < 0)
            return -1;
    }
}

/* The deadline of an operation that begins now: a new reference. NULL without an error: Python has to do it. See
   greening/net/retry.py, deadline_of. */
static PyObject *
deadline_of(Hub *hub, PyObject *sock, int fd)
{
    PyObject *raw = PyObject_CallFunctionObjArgs(get_timeout, sock, NULL);
    if (raw == NULL)
        return NULL;
    if (PyDict_Size(timeouts) == 0)
        goto as_it_is;
    PyObject *key = PyLong_FromLong(fd);
    PyObject *entry = key == NULL ? NULL : PyDict_GetItemWithError(timeouts, key);
    Py_XDECREF(key);
    if (entry == NULL || !PyTuple_Check(entry) || PyTuple_Size(entry) != 2)
        goto as_it_is;
    PyObject *owner = PyObject_CallNoArgs(PyTuple_GetItem(entry, 0));
    Py_XDECREF(owner);
    if (owner != sock)
        goto as_it_is;
    Py_DECREF(raw);
    PyObject *seconds = PyTuple_GetItem(entry, 1);
    if (seconds == Py_None)
        return Py_NewRef(seconds);
    Py_INCREF(seconds);
    PyObject *now = hub->now == NULL ? missing("hub.now") : PyObject_CallNoArgs(hub->now);
    PyObject *deadline = now == NULL ? NULL : PyNumber_Add(now, seconds);
    Py_XDECREF(now);
    Py_DECREF(seconds);
    return deadline;
as_it_is:
    if (PyErr_Occurred() || raw != Py_None)
        Py_CLEAR(raw);
    return raw;
}

/* With an error set: it has cut a wait on `sock` short. See greening/net/exchange.py. */
static void
tell_interruption(PyObject *sock)
{
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    PyObject *done = PyObject_CallFunctionObjArgs(interrupted, sock, error, NULL);
    if (done == NULL)
        PyErr_WriteUnraisable(interrupted);
    Py_XDECREF(done);
    PyErr_Restore(type, error, trace);
}

/* Park the running task until there is something to read. 1: try again, 0: Python has to do it, -1: error. */
static int
wait_readable(PyObject *sock, Task *task, Registration *reg, PyObject *deadline)
{
    if (task->state != RUNNING || !reg->edge)
        return 0;
    if (IS(reg->readers, LotType) && ((Lot *)reg->readers)->size)
        return 0; /* a second reader, which may be refused: see Registry.wait */
    Py_INCREF((PyObject *)reg); /* a finaliser may run, which may close the descriptor */
    int entered = registration_enter_unless_news(reg, task, POLLIN);
    if (entered <= 0) {
        Py_DECREF((PyObject *)reg);
        return entered < 0 ? -1 : 1; /* an event has come since the try */
    }
    Lot *readers = (Lot *)Py_NewRef(reg->readers);
    PyObject *events = task_park_running(task, deadline);
    if (events == NULL || events == TIMED_OUT)
        lot_leave(readers, (PyObject *)task);
    if (events == NULL)
        tell_interruption(sock);
    if (events == TIMED_OUT) {
        Py_CLEAR(events);
        PyErr_SetString(PyExc_TimeoutError, "timed out");
    }
    reg->read_news = 0; /* the caller tries now */
    Py_DECREF((PyObject *)readers);
    Py_DECREF((PyObject *)reg);
    Py_XDECREF(events);
    return events == NULL ? -1 : 1;
}

/* A read parks without trying: schedule a recheck. -1: error. See greening/_core/recheck.py. */
static int
recheck(Hub *hub, Registration *reg)
{
    Py_INCREF((PyObject *)reg);
    PyObject *done = PyObject_CallFunctionObjArgs(schedule_recheck, (PyObject *)hub, (PyObject *)reg, NULL);
    Py_DECREF((PyObject *)reg);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

/* `receive` into a new object. It is made for each try: thousands of parked callers need not hold one each. */
static Py_ssize_t
receive_bytes(int fd, PyObject **made, size_t size)
{
    *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (*made == NULL)
        return -1;
    Py_ssize_t got = receive(fd, PyBytes_AsString(*made), size);
    if (got < 0)
        Py_CLEAR(*made);
    return got;
}

/* What recv and recv_into have in common: read into `buffer`, or without one into `*made`, which is set unless this
   fails. -3: Python has to do it, -1: error. */
static Py_ssize_t
read_into(PyObject *sock, void *buffer, size_t size, PyObject **made)
{
    Py_ssize_t got = -3;
    PyObject *deadline = NULL;
    int fd = fd_of(sock);
    if (fd < 0) {
        PyErr_Clear();
        return -3;
    }
    Task *task = running_task();
    if (task == NULL || !IS(task->hub, HubType)) {
        Py_XDECREF((PyObject *)task);
        return -3;
    }
    Hub *hub = (Hub *)task->hub;
    Registration *reg = registration_of(hub, sock, fd);
    if (reg == NULL || !reg->drained) {
        Py_XINCREF((PyObject *)reg); /* other tasks may run now, and free it */
        int spent = fairness_tick();
        if (reg != NULL) {
            reg->read_news = 0;
            Py_DECREF((PyObject *)reg);
        }
        if (spent < 0) {
            got = -1;
            goto end;
        }
        if ((fd = fd_of(sock)) < 0) {
            PyErr_Clear(); /* closed while we let others run: Python has the right error */
            goto end;
        }
        got = buffer != NULL ? receive(fd, buffer, size) : receive_bytes(fd, made, size);
        if (got != -2) {
            /* After a short read there is nothing more: see Registration.drained. */
            if (got >= 0 && (size_t)got < size && (reg = registration_of(hub, sock, fd)) != NULL && reg->stream &&
                !reg->read_news)
                reg->drained = 1;
            goto end;
        }
    }
    else if (!reg->recheck_due && recheck(hub, reg) < 0) {
        got = -1;
        goto end;
    }
    deadline = deadline_of(hub, sock, fd);
    if (deadline == NULL) {
        got = PyErr_Occurred() ? -1 : -3;
        goto end;
    }
    do {
        reg = registration_of(hub, sock, fd);
        int ready = reg == NULL ? 0 : wait_readable(sock, task, reg, deadline);
        if (ready != 1) {
            got = ready < 0 ? -1 : -3;
            goto end;
        }
        if ((fd = fd_of(sock)) < 0) {
            PyErr_Clear();
            got = -3;
            goto end;
        }
        got = buffer != NULL ? receive(fd, buffer, size) : receive_bytes(fd, made, size);
    } while (got == -2);
    if (got > 0 && (size_t)got < size && (reg = registration_of(hub, sock, fd)) != NULL && reg->stream && !reg->read_news)
        reg->drained = 1;
end:
    Py_XDECREF(deadline);
    Py_DECREF((PyObject *)task);
    return got;
}

static PyObject *
call(PyObject *function, PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    PyObject *all = PyTuple_New(count + 1);
    if (all == NULL)
        return NULL;
    PyTuple_SetItem(all, 0, Py_NewRef(self));
    for (Py_ssize_t i = 0; i < count; i++)
        PyTuple_SetItem(all, i + 1, Py_NewRef(args[i]));
    PyObject *result = PyObject_CallObject(function, all);
    Py_DECREF(all);
    return result;
}

/* The size as an exact positive integer; 0: it is none, and Python has to check it. */
static Py_ssize_t
plain_size(PyObject *number)
{
    if (!PyLong_CheckExact(number))
        return 0;
    Py_ssize_t size = PyLong_AsSsize_t(number);
    if (size == -1 && PyErr_Occurred())
        PyErr_Clear();
    return size > 0 ? size : 0;
}

static PyObject *
recv_(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t size = count == 1 ? plain_size(args[0]) : 0;
    if (size == 0)
        return call(slow_recv, self, args, count);
    PyObject *data = NULL;
    Py_ssize_t got = read_into(self, size > ROOM ? NULL : room, (size_t)size, &data);
    if (got < 0)
        return got == -3 ? call(slow_recv, self, args, count) : NULL;
    if (data == NULL)
        return PyBytes_FromStringAndSize(room, got);
    if (got == size)
        return data;
    PyObject *result = PyBytes_FromStringAndSize(PyBytes_AsString(data), got);
    Py_DECREF(data);
    return result;
}

static PyObject *
recv_into_(PyObject *self, PyObject *args, PyObject *kwargs)
{
    Py_ssize_t count = PyTuple_Size(args), size = 0;
    Py_buffer view;
    if (kwargs == NULL && (count == 1 || count == 2)) {
        if (count == 2 && (size = plain_size(PyTuple_GetItem(args, 1))) == 0)
            goto unusual;
        if (PyObject_GetBuffer(PyTuple_GetItem(args, 0), &view, PyBUF_WRITABLE) < 0) {
            PyErr_Clear();
            goto unusual;
        }
        Py_ssize_t got = -3;
        if (view.len > 0 && size <= view.len)
            got = read_into(self, view.buf, (size_t)(size ? size : view.len), NULL);
        PyBuffer_Release(&view);
        if (got != -3)
            return got < 0 ? NULL : PyLong_FromSsize_t(got);
    }
unusual:;
    PyObject *all = PyTuple_New(count + 1);
    if (all == NULL)
        return NULL;
    PyTuple_SetItem(all, 0, Py_NewRef(self));
    for (Py_ssize_t i = 0; i < count; i++)
        PyTuple_SetItem(all, i + 1, Py_NewRef(PyTuple_GetItem(args, i)));
    PyObject *result = PyObject_Call(slow_recv_into, all, kwargs);
    Py_DECREF(all);
    return result;
}

/* One send(2) that cannot wait. -3: Python has to do it, -1: error; else how much of `length` was sent. */
static Py_ssize_t
send_now(PyObject *sock, PyObject *data, Py_ssize_t *length)
{
    Py_buffer view;
    if (fairness_tick() < 0)
        return -1;
    int fd = fd_of(sock);
    if (fd < 0 || PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        PyErr_Clear();
        return -3;
    }
    *length = view.len;
    Py_ssize_t sent;
    do {
        if (view.len < LONG_CALL)
            sent = send(fd, view.buf, (size_t)view.len, MSG_DONTWAIT);
        else {
            Py_BEGIN_ALLOW_THREADS
            sent = send(fd, view.buf, (size_t)view.len, MSG_DONTWAIT);
            Py_END_ALLOW_THREADS
        }
    } while (sent < 0 && errno == EINTR && PyErr_CheckSignals() == 0);
    if (sent < 0 && PyErr_Occurred())
        sent = -1; /* the error of a signal handler */
    else if (sent < 0) {
        sent = errno == EAGAIN || errno == EWOULDBLOCK ? -3 : -1;
        if (sent == -1)
            PyErr_SetFromErrno(PyExc_OSError);
    }
    PyBuffer_Release(&view);
    return sent;
}

static PyObject *
rest(PyObject *function, PyObject *self, PyObject *data, Py_ssize_t sent)
{
    PyObject *number = PyLong_FromSsize_t(sent);
    PyObject *result = NULL;
    if (number != NULL)
        result = PyObject_CallFunctionObjArgs(function, self, data, number, ZERO, NULL);
    Py_XDECREF(number);
    return result;
}

static PyObject *
send_(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t length = 0, sent = count == 1 ? send_now(self, args[0], &length) : -3;
    if (sent == -3)
        return call(slow_send, self, args, count);
    if (sent < 0)
        return NULL;
    return sent == length ? PyLong_FromSsize_t(sent) : rest(send_rest, self, args[0], sent);
}

static PyObject *
sendall_(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t length = 0, sent = count == 1 ? send_now(self, args[0], &length) : -3;
    if (sent == -3)
        return call(slow_sendall, self, args, count);
    if (sent < 0)
        return NULL;
    return sent == length ? Py_NewRef(Py_None) : rest(sendall_rest, self, args[0], sent);
}

static PyMethodDef methods[] = {
    {"recv", (PyCFunction)(void (*)(void))recv_, METH_FASTCALL, DOC_socket_recv},
    {"recv_into", (PyCFunction)(void (*)(void))recv_into_, METH_VARARGS | METH_KEYWORDS, DOC_socket_recv_into},
    {"send", (PyCFunction)(void (*)(void))send_, METH_FASTCALL, DOC_socket_send},
    {"sendall", (PyCFunction)(void (*)(void))sendall_, METH_FASTCALL, DOC_socket_sendall},
    {NULL, NULL, 0, NULL},
};

/* See greening/net/tls.py. */
static PyObject *
await_data(PyObject *Py_UNUSED(module), PyObject *sock)
{
    if (told((PyObject *)socket_type) == NULL)
        return NULL;
    if (!PyObject_TypeCheck(sock, socket_type))
        return PyErr_Format(PyExc_TypeError, "a socket is needed, not %R", sock);
    int fd = fd_of(sock), answer = 0;
    char byte;
    if (fd < 0) {
        PyErr_Clear();
        return Py_NewRef(ZERO);
    }
    if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        return PyLong_FromLong(1);
    Task *task = running_task();
    if (task != NULL && IS(task->hub, HubType)) {
        PyObject *deadline = deadline_of((Hub *)task->hub, sock, fd);
        Registration *reg = deadline == NULL ? NULL : registration_of((Hub *)task->hub, sock, fd);
        answer = deadline == NULL && PyErr_Occurred() ? -1 : reg == NULL ? 0 : wait_readable(sock, task, reg, deadline);
        Py_XDECREF(deadline);
    }
    Py_XDECREF((PyObject *)task);
    return answer < 0 ? NULL : PyLong_FromLong(2 * answer);
}

/* Whether it is `_socket.socket` or a subclass: the methods read members of such objects. 0: with an error. */
static int
is_socket_type(PyObject *type)
{
    PyObject *module = PyImport_ImportModule("_socket");
    PyObject *base = module == NULL ? NULL : PyObject_GetAttrString(module, "socket");
    int is = base == NULL ? -1 : PyObject_IsSubclass(type, base);
    Py_XDECREF(base);
    Py_XDECREF(module);
    if (is == 0)
        PyErr_SetString(PyExc_TypeError, "a class of sockets is needed");
    return is > 0;
}

/* double_socket_methods(socket type, functions): the methods, by name. `functions` has the Python that they call. */
static PyObject *
double_socket_methods(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *type, *functions;
    if (!PyArg_ParseTuple(args, "O!O!", &PyType_Type, &type, &PyDict_Type, &functions) || !is_socket_type(type))
        return NULL;
    struct {
        const char *name;
        PyObject **place;
    } wanted[] = {
        {"schedule_recheck", &schedule_recheck}, {"fileno", &get_fileno}, {"gettimeout", &get_timeout}, {"timeouts", &timeouts},
        {"recv", &slow_recv}, {"recv_into", &slow_recv_into}, {"send", &slow_send}, {"sendall", &slow_sendall},
        {"send_rest", &send_rest}, {"sendall_rest", &sendall_rest}, {"interrupted", &interrupted}, {NULL, NULL},
    };
    for (int i = 0; wanted[i].name != NULL; i++) {
        PyObject *given = PyDict_GetItemString(functions, wanted[i].name);
        if (given == NULL) {
            PyErr_SetString(PyExc_KeyError, wanted[i].name);
            return NULL;
        }
        if (wanted[i].place == &timeouts ? !PyDict_Check(given) : !PyCallable_Check(given))
            return PyErr_Format(PyExc_TypeError, "%s cannot be %R", wanted[i].name, given);
    }
    for (int i = 0; wanted[i].name != NULL; i++)
        SET(*wanted[i].place, PyDict_GetItemString(functions, wanted[i].name));
    PyTypeObject *before = socket_type;
    socket_type = (PyTypeObject *)Py_NewRef(type);
    Py_XDECREF((PyObject *)before);
    PyObject *found = PyDict_New();
    for (PyMethodDef *method = methods; found != NULL && method->ml_name != NULL; method++) {
        PyObject *descriptor = PyDescr_NewMethod((PyTypeObject *)type, method);
        if (descriptor == NULL || PyDict_SetItemString(found, method->ml_name, descriptor) < 0)
            Py_CLEAR(found);
        Py_XDECREF(descriptor);
    }
    return found;
}

static PyMethodDef functions[] = {
    {"await_data", await_data, METH_O,
     "await_data(socket): park until there is something to read. 1: there was at once, 2: now there is, 0: Python's job."},
    {"double_socket_methods", double_socket_methods, METH_VARARGS,
     "double_socket_methods(type, functions): recv, recv_into, send, sendall for that socket type."},
    {NULL, NULL, 0, NULL},
};

int
add_sockets(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
