/* Masking of WebSocket frames: see greening/websocket/masking.py. */
#include "accelerator.h"
#include <string.h>

enum { KEY = 4 };

static void
mask_bytes(char *to, const char *from, Py_ssize_t size, const char *key)
{
    unsigned long long pattern, word;
    memcpy(&pattern, key, KEY);
    memcpy((char *)&pattern + KEY, key, KEY);
    Py_ssize_t at = 0;
    for (; at + (Py_ssize_t)sizeof word <= size; at += sizeof word) {
        memcpy(&word, from + at, sizeof word);
        word ^= pattern;
        memcpy(to + at, &word, sizeof word);
    }
    for (; at < size; at++)
        to[at] = from[at] ^ key[at % KEY];
}

static PyObject *
mask(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t number)
{
    Py_buffer data, key;
    PyObject *masked = NULL;
    if (number != 2) {
        PyErr_Format(PyExc_TypeError, "mask() takes 2 positional arguments but %zd were given", number);
        return NULL;
    }
    if (PyObject_GetBuffer(args[0], &data, PyBUF_SIMPLE) < 0)
        return NULL;
    if (PyObject_GetBuffer(args[1], &key, PyBUF_SIMPLE) < 0) {
        PyBuffer_Release(&data);
        return NULL;
    }
    if (key.len != KEY)
        PyErr_Format(PyExc_ValueError, "a masking key has 4 bytes, not %zd", key.len);
    else if ((masked = PyBytes_FromStringAndSize(NULL, data.len)) != NULL)
        mask_bytes(PyBytes_AsString(masked), data.buf, data.len, key.buf);
    PyBuffer_Release(&key);
    PyBuffer_Release(&data);
    return masked;
}

static PyMethodDef functions[] = {
    {"mask", FAST(mask), DOC_mask},
    {NULL, NULL, 0, NULL},
};

int
add_mask(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
