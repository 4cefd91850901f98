/* rowbinary._speedups: initialisation only. */
#include "source.h"

rb_python rb_py;

/* An attribute of a module, into a slot. */
int rb_import(PyObject **slot, const char *module_name, const char *attribute)
{
    PyObject *module = PyImport_ImportModule(module_name);
    if (!module)
        return -1;
    Py_XSETREF(*slot, PyObject_GetAttrString(module, attribute));
    Py_DECREF(module);
    return *slot ? 0 : -1;
}

int rb_intern(PyObject **slot, const char *text)
{
    Py_XSETREF(*slot, PyUnicode_InternFromString(text));
    return *slot ? 0 : -1;
}

/* What Native blocks need besides: modules that others need not wait for. */
int rb_import_native(void)
{
    if (rb_py.refuse)
        return 0;
    return rb_import(&rb_py.read_kind, "rowbinary._paths", "read_kind") ||
           rb_import(&rb_py.refuse, "rowbinary._native", "refuse");
}

static int add_type(PyObject *module, const char *name, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    int failed = !type || PyModule_AddObjectRef(module, name, type);
    Py_XDECREF(type);
    return failed;
}

static int module_exec(PyObject *module)
{
    if (rb_value_init() || rb_import(&rb_py.write_value, "rowbinary._write", "write_value") ||
        rb_import(&rb_py.write_natural, "rowbinary._dynamic", "write_natural") ||
        rb_import(&rb_py.encode_row, "rowbinary._encode", "encode_row") ||
        rb_import(&rb_py.encode_error, "rowbinary.errors", "EncodeError") ||
        rb_import(&rb_py.make_context, "rowbinary._context", "Context") ||
        rb_import(&rb_py.default_, "rowbinary._typed", "DEFAULT") ||
        rb_import(&rb_py.uuid, "uuid", "UUID") || rb_import(&rb_py.decimal, "decimal", "Decimal") ||
        rb_intern(&rb_py.s_depth, "depth") || rb_intern(&rb_py.s_count, "count") ||
        rb_intern(&rb_py.s_int, "int") || rb_intern(&rb_py.s_capsule, "capsule") ||
        rb_intern(&rb_py.s_resolve, "resolve") || rb_intern(&rb_py.s_utcoffset, "utcoffset") ||
        rb_intern(&rb_py.s_timestamp, "timestamp") ||
        rb_intern(&rb_py.s_row, "row") || rb_intern(&rb_py.s_absent, "absent") ||
        rb_objects_init())
        return -1;
    return add_type(module, "RowEncoder", &rb_encoder_spec) || add_type(module, "Chunks", &rb_chunks_spec) ||
                   add_type(module, "Source", &rb_source_spec) ||
                   PyModule_AddStringConstant(module, "PLAN_HASH", RB_PLAN_HASH)
               ? -1
               : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    /* Rows and documents are walked without critical sections: free threading needs them. */
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "rowbinary._speedups", "The C row encoder.", 0, NULL, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__speedups(void)
{
    return PyModuleDef_Init(&definition);
}
