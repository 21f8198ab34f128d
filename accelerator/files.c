/* Files: whether open(2) would open a FIFO (greening/fdio/os_io.py). The stdlib's `os.stat` takes twice as long. */
#include "accelerator.h"
#include <fcntl.h>
#include <sys/stat.h>

static Twin slow_is_fifo;

static PyObject *
ask_twin(PyObject *const *args, Py_ssize_t number)
{
    PyObject *all = twin_of(&slow_is_fifo, NULL, "is_fifo") == NULL ? NULL : PyTuple_New(number);
    if (all == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < number; i++)
        PyTuple_SetItem(all, i, Py_NewRef(args[i]));
    PyObject *result = PyObject_Call(slow_is_fifo.function, all, NULL);
    Py_DECREF(all);
    return result;
}

/* The frequent case: a path that is a str or bytes, without a directory. Everything else is left to the twin. */
static PyObject *
is_fifo(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t number)
{
    PyObject *path = NULL;
    long flags = 0;
    int frequent = number >= 1 && number <= 3 && (number < 3 || args[2] == Py_None) &&
                   (PyUnicode_CheckExact(args[0]) || PyBytes_CheckExact(args[0])) &&
                   (number < 2 || PyLong_CheckExact(args[1]));
    if (frequent && number > 1) {
        flags = PyLong_AsLong(args[1]);
        frequent = flags != -1 || !PyErr_Occurred();
    }
    if (frequent)
        frequent = PyUnicode_FSConverter(args[0], &path);
    if (!frequent) {
        PyErr_Clear();
        return ask_twin(args, number);
    }
    struct stat found;
    int result;
    Py_BEGIN_ALLOW_THREADS
    result = fstatat(AT_FDCWD, PyBytes_AsString(path), &found, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);
    Py_END_ALLOW_THREADS
    Py_DECREF(path);
    return PyBool_FromLong(result == 0 && S_ISFIFO(found.st_mode));
}

static PyMethodDef functions[] = {
    {"is_fifo", FAST(is_fifo), DOC_is_fifo},
    {NULL, NULL, 0, NULL},
};

int
add_files(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
