/* rowbinary._speedups: initialisation only. */
#include "source.h"

rb_python rb_py;

static int import_into(PyObject **slot, const char *module_name, const char *attribute)
{
    PyObject *module = PyImport_ImportModule(module_name);
    if (!module)
        return -1;
    Py_XSETREF(*slot, PyObject_GetAttrString(module, attribute));
    Py_DECREF(module);
    return *slot ? 0 : -1;
}

static int intern_into(PyObject **slot, const char *text)
{
    Py_XSETREF(*slot, PyUnicode_InternFromString(text));
    return *slot ? 0 : -1;
}

/* What Native blocks need besides: modules that others need not wait for. */
int rb_import_native(void)
{
    if (rb_py.refuse)
        return 0;
    return import_into(&rb_py.read_kind, "rowbinary._paths", "read_kind") ||
           import_into(&rb_py.refuse, "rowbinary._native", "refuse");
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
    if (rb_value_init() || import_into(&rb_py.write_value, "rowbinary._write", "write_value") ||
        import_into(&rb_py.write_natural, "rowbinary._dynamic", "write_natural") ||
        import_into(&rb_py.encode_row, "rowbinary._encode", "encode_row") ||
        import_into(&rb_py.encode_error, "rowbinary.errors", "EncodeError") ||
        import_into(&rb_py.make_context, "rowbinary._context", "Context") ||
        import_into(&rb_py.default_, "rowbinary._typed", "DEFAULT") ||
        import_into(&rb_py.uuid, "uuid", "UUID") || import_into(&rb_py.decimal, "decimal", "Decimal") ||
        intern_into(&rb_py.s_depth, "depth") || intern_into(&rb_py.s_count, "count") ||
        intern_into(&rb_py.s_int, "int") || intern_into(&rb_py.s_capsule, "capsule") ||
        intern_into(&rb_py.s_resolve, "resolve") || intern_into(&rb_py.s_utcoffset, "utcoffset") ||
        intern_into(&rb_py.s_timestamp, "timestamp") ||
        intern_into(&rb_py.s_row, "row") || intern_into(&rb_py.s_absent, "absent") ||
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
