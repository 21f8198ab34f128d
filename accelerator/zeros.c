/* Memory full of zeros for the idents of green threads: see greening/_core/idents.py. */
#include "accelerator.h"
#include <sys/mman.h>

static PyObject *
reserve_zeros(PyObject *Py_UNUSED(module), PyObject *number)
{
    size_t size = PyLong_AsSize_t(number);
    if (size == (size_t)-1 && PyErr_Occurred())
        return NULL;
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromVoidPtr(start);
}

static PyMethodDef functions[] = {
    {"reserve_zeros", reserve_zeros, METH_O, "See greening._core.zeros.reserve."},
    {NULL, NULL, 0, NULL},
};

int
add_zeros(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
